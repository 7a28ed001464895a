from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from trimtab.decide.choose import decide
from trimtab.decide.labels import distinct_labels
from trimtab.decide.pareto import pareto_front
from trimtab.records import (
    Decision,
    DeviceDecision,
    Metric,
    Objective,
    Requirement,
    Result,
)
from trimtab_protos.errors import Failure

MakeResult = Callable[..., Result]
FASTEST = Objective("latency_p50_ms")
ACCURATE = Requirement("accuracy", ">=", 0.9)
NO_SENSOR = Metric(None, "mJ", "unavailable", reason="no power sensor found")


def only_device(decision: Decision) -> DeviceDecision:
    (device,) = decision.devices
    return device


def reasons(decision: Decision) -> dict[str, str]:
    return {each.label: each.reason for each in only_device(decision).not_chosen}


def chosen(decision: Decision) -> str | None:
    result = only_device(decision).chosen
    return result.variant if result is not None else None


def test_the_best_by_the_objective_is_chosen_among_those_that_meet_the_requirements(
    make_result: MakeResult,
) -> None:
    results = [
        make_result("a", latency_p50_ms=3, accuracy=0.95),
        make_result("too-wrong", latency_p50_ms=1, accuracy=0.8),
        make_result("b", latency_p50_ms=2, accuracy=0.92),
    ]
    assert chosen(decide(results, [ACCURATE], FASTEST)) == "b"
    assert chosen(decide(results, [], FASTEST)) == "too-wrong"
    assert chosen(decide(results, [], Objective("accuracy", "maximize"))) == "a"


@pytest.mark.parametrize(
    ("operator", "meets"), [("<=", True), ("<", False), (">=", True), (">", False)]
)
def test_a_figure_at_the_limit(make_result: MakeResult, operator: Any, meets: bool) -> None:
    limit = Requirement("latency_p90_ms", operator, 5.0)
    decision = decide([make_result(latency_p50_ms=4, latency_p90_ms=5)], [limit], FASTEST)
    assert (chosen(decision) is not None) is meets


def test_an_unmet_requirement_is_named_with_figure_and_limit(make_result: MakeResult) -> None:
    limit = Requirement("latency_p90_ms", "<=", 5.0)
    results = [
        make_result("fits", latency_p50_ms=3, latency_p90_ms=4),
        make_result("slow", latency_p50_ms=3, latency_p90_ms=7.25),
    ]
    decision = decide(results, [limit], FASTEST)
    assert reasons(decision) == {
        "slow (onnx, onnxruntime)": "latency_p90_ms 7.25 ms, limit <= 5 ms"
    }
    assert not only_device(decision).not_chosen[0].meets_requirements


def test_a_limit_missed_by_less_than_is_printed_shows_more_digits(make_result: MakeResult) -> None:
    limit = Requirement("latency_p90_ms", "<=", 5.0)
    decision = decide([make_result(latency_p50_ms=3, latency_p90_ms=5.0001)], [limit], FASTEST)
    assert "5.0001 ms, limit <= 5 ms" in next(iter(reasons(decision).values()))


def test_a_slower_one_says_by_how_much(make_result: MakeResult) -> None:
    results = [
        make_result("a", latency_p50_ms=(0.030, 0.029, 0.031)),
        make_result("b", latency_p50_ms=(0.034, 0.033, 0.035)),
    ]
    assert reasons(decide(results, [], FASTEST))["b (onnx, onnxruntime)"] == (
        "13 % slower than a (onnx, onnxruntime): 0.0340 against 0.0300 ms"
    )


def test_overlapping_intervals_are_no_difference_seen(make_result: MakeResult) -> None:
    results = [
        make_result("a", latency_p50_ms=(0.030, 0.028, 0.033)),
        make_result("b", latency_p50_ms=(0.034, 0.032, 0.036)),
    ]
    decision = decide(results, [], FASTEST)
    assert reasons(decision)["b (onnx, onnxruntime)"].startswith("no difference seen to a")
    assert "no difference seen to b" in only_device(decision).reason


def test_one_repeat_is_said_to_be_too_little_to_judge_by(make_result: MakeResult) -> None:
    results = [make_result("a", latency_p50_ms=1), make_result("b", latency_p50_ms=2)]
    assert (
        "no interval to judge by" in reasons(decide(results, [], FASTEST))["b (onnx, onnxruntime)"]
    )


def test_invalid_figures_take_no_part(make_result: MakeResult) -> None:
    void = Metric(0.1, "ms", "measured", (0.1, 0.1), valid=False, reason="throttled: 90 °C")
    results = [make_result("fast", latency_p50_ms=void), make_result("ok", latency_p50_ms=5)]
    decision = decide(results, [], FASTEST)
    assert chosen(decision) == "ok"
    assert reasons(decision)["fast (onnx, onnxruntime)"] == (
        "latency_p50_ms is INVALID: throttled: 90 °C"
    )


@pytest.mark.parametrize(
    ("accuracy", "expected"),
    [
        (Metric(0.99, "fraction", "measured", valid=False, reason="NaN"), "is INVALID (NaN)"),
        (Metric(None, "fraction", "unavailable", reason="no outputs"), "unavailable (no outputs)"),
    ],
)
def test_a_requirement_is_not_met_by_a_figure_that_is_void_or_missing(
    make_result: MakeResult, accuracy: Metric, expected: str
) -> None:
    decision = decide([make_result(latency_p50_ms=1, accuracy=accuracy)], [ACCURATE], FASTEST)
    assert chosen(decision) is None
    assert expected in next(iter(reasons(decision).values()))


def test_a_failed_arm_gives_its_failure_as_the_reason(make_result: MakeResult) -> None:
    failed = make_result("odd", error=Failure("model", "no such operator"))
    decision = decide([failed, make_result("ok", latency_p50_ms=1)], [ACCURATE], FASTEST)
    assert reasons(decision)["odd (onnx, onnxruntime)"] == "failed (model): no such operator"


def test_every_candidate_but_the_chosen_one_has_a_reason(make_result: MakeResult) -> None:
    results = [
        make_result("odd", error=Failure("model", "no such operator")),
        make_result("a", latency_p50_ms=1, accuracy=0.95),
        make_result("b", latency_p50_ms=2, accuracy=0.95),
        make_result("c", latency_p50_ms=1, accuracy=0.5),
        make_result("d", accuracy=0.95),
    ]
    decision = only_device(decide(results, [ACCURATE], FASTEST))
    assert len(decision.not_chosen) == 4
    assert all(each.reason for each in decision.not_chosen)


def test_the_replacement_decides_where_nobody_has_the_objective_s_figure(
    make_result: MakeResult,
) -> None:
    results = [
        make_result("a", latency_p50_ms=2, energy_mj=NO_SENSOR),
        make_result("b", latency_p50_ms=1, energy_mj=NO_SENSOR),
    ]
    decision = decide(results, [], Objective("energy_mj", otherwise="latency_p50_ms"))
    assert chosen(decision) == "b"
    used = only_device(decision).objective_used
    assert used == ("minimize latency_p50_ms (energy_mj is unavailable: no power sensor found)")


def test_a_replacement_that_is_better_when_higher_is_maximised(make_result: MakeResult) -> None:
    results = [
        make_result("a", accuracy=0.9, energy_mj=NO_SENSOR),
        make_result("b", accuracy=0.8, energy_mj=NO_SENSOR),
    ]
    assert chosen(decide(results, [], Objective("energy_mj", otherwise="accuracy"))) == "a"


def test_the_objective_stands_where_one_candidate_has_its_figure(make_result: MakeResult) -> None:
    results = [
        make_result("a", latency_p50_ms=2, energy_mj=7),
        make_result("b", latency_p50_ms=1, energy_mj=NO_SENSOR),
    ]
    decision = decide(results, [], Objective("energy_mj", otherwise="latency_p50_ms"))
    assert chosen(decision) == "a"
    assert "energy_mj is unavailable" in reasons(decision)["b (onnx, onnxruntime)"]


def test_an_objective_without_figures_and_replacement_chooses_nothing(
    make_result: MakeResult,
) -> None:
    decision = decide(
        [make_result(latency_p50_ms=1, energy_mj=NO_SENSOR)], [], Objective("energy_mj")
    )
    assert chosen(decision) is None
    assert "no power sensor found" in only_device(decision).reason


def test_nothing_meets_tells_the_nearest_miss(make_result: MakeResult) -> None:
    results = [
        make_result("far", latency_p50_ms=1, accuracy=0.5),
        make_result("near", latency_p50_ms=1, accuracy=0.89),
        make_result("unknown", latency_p50_ms=1),
    ]
    decision = decide(results, [ACCURATE], FASTEST)
    assert chosen(decision) is None
    assert only_device(decision).reason == (
        "nothing meets the requirements; nearest is near (onnx, onnxruntime): "
        "accuracy 0.8900, limit >= 0.9"
    )
    assert len(only_device(decision).not_chosen) == 3


def test_all_failed_is_said(make_result: MakeResult) -> None:
    decision = decide([make_result(error=Failure("device", "gone"))], [], FASTEST)
    assert "every candidate failed" in only_device(decision).reason


def test_equal_values_go_to_the_smaller_file_then_to_the_name(make_result: MakeResult) -> None:
    results = [
        make_result("c", latency_p50_ms=1, size_bytes=500),
        make_result("b", latency_p50_ms=1, size_bytes=400),
        make_result("a", latency_p50_ms=1, size_bytes=500),
        make_result("a2", latency_p50_ms=1, size_bytes=400),
    ]
    for order in (results, results[::-1]):
        decision = decide(order, [], FASTEST)
        assert chosen(decision) == "a2"
        assert "larger: 500 against 400 bytes" in reasons(decision)["c (onnx, onnxruntime)"]
        assert "the name decided" in reasons(decision)["b (onnx, onnxruntime)"]


def test_each_device_has_its_own_decision(make_result: MakeResult) -> None:
    results = [
        make_result("a", device="x", latency_p50_ms=1),
        make_result("a", device="y", latency_p50_ms=3),
        make_result("b", device="x", latency_p50_ms=2),
        make_result("b", device="y", latency_p50_ms=2),
    ]
    decision = decide(results, [], FASTEST)
    chosen_by_device = {
        each.device.name: each.chosen.variant for each in decision.devices if each.chosen
    }
    assert chosen_by_device == {"x": "a", "y": "b"}


def test_accuracy_differences_are_points(make_result: MakeResult) -> None:
    results = [make_result("a", accuracy=0.95), make_result("b", accuracy=0.936)]
    decision = decide(results, [], Objective("accuracy", "maximize"))
    assert reasons(decision)["b (onnx, onnxruntime)"] == (
        "1.4 points less accurate than a (onnx, onnxruntime): 0.9360 against 0.9500"
    )


def test_labels_tell_candidates_apart_by_what_differs(make_result: MakeResult) -> None:
    one, two = make_result("a", threads=1), make_result("a", threads=2)
    gpu = replace(two, settings=replace(two.settings, accelerator="gpu"))
    assert distinct_labels([one, make_result("b")]) == (
        "a (onnx, onnxruntime)",
        "b (onnx, onnxruntime)",
    )
    assert distinct_labels([one, two, gpu]) == (
        "a (onnx, onnxruntime, 1 thread)",
        "a (onnx, onnxruntime, 2 threads, cpu)",
        "a (onnx, onnxruntime, 2 threads, gpu)",
    )


def test_the_pareto_front_holds_what_no_other_beats_in_everything(make_result: MakeResult) -> None:
    void = Metric(0.1, "ms", "measured", valid=False, reason="throttled")
    results = [
        make_result("fast", latency_p50_ms=1, accuracy=0.8),
        make_result("beaten", latency_p50_ms=3, accuracy=0.85),
        make_result("good", latency_p50_ms=2, accuracy=0.9),
        make_result("twin", latency_p50_ms=2, accuracy=0.9),
        make_result("void", latency_p50_ms=void, accuracy=1.0),
    ]
    front = pareto_front(results, ["latency_p50_ms", "accuracy"])
    assert [each.variant for each in front] == ["fast", "good", "twin"]
