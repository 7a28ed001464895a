"""When two results may be compared, and which belong together."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from trimtab.measure.comparable import comparability
from trimtab.measure.side_by_side import side_by_side
from trimtab.records import DeviceRef, Metric, RawArm, Result
from trimtab_protos.errors import Failure

MakeResult = Callable[..., Result]
CONDITIONS = {
    "governor": "performance",
    "power_mode": "MAXN",
    "boost": "on",
    "power_source": "mains",
    "affinity": "0-3",
    "temperature_c": "50.0 (cpu)",
}


@pytest.fixture
def measured(make_result: MakeResult) -> Result:
    return replace(make_result("float", latency_p50_ms=1.0), conditions=CONDITIONS)


def changed_condition(**conditions: str) -> Callable[[Result], Result]:
    return lambda result: replace(result, conditions={**result.conditions, **conditions})


def changed_settings(**settings: Any) -> Callable[[Result], Result]:
    return lambda result: replace(result, settings=replace(result.settings, **settings))


@pytest.mark.parametrize(
    ("condition", "change", "second"),
    [
        ("governor", changed_condition(governor="powersave"), "powersave"),
        ("power mode", changed_condition(power_mode="15W"), "15W"),
        ("boost", changed_condition(boost="off"), "off"),
        ("power source", changed_condition(power_source="battery"), "battery"),
        ("affinity", changed_condition(affinity="2"), "2"),
        ("governor", changed_condition(governor="unknown: not told"), "unknown: not told"),
        ("threads", changed_settings(threads=4), "4"),
        ("runtime options", changed_settings(runtime_options={"xnnpack": "off"}), "xnnpack=off"),
        ("input shapes", changed_settings(input_shapes={"x": (1, 3)}), "x=1x3"),
        ("batch size", changed_settings(batch_size=8), "8"),
        ("rate", changed_settings(rate_hz=30.0), "30 Hz"),
        ("runtime", changed_settings(runtime="litert"), "litert"),
        ("runtime version", lambda r: replace(r, runtime_version="2.0"), "onnxruntime 2.0"),
        ("accelerator", lambda r: replace(r, accelerator_used="npu"), "cpu asked, npu used"),
        ("device", lambda r: replace(r, device=DeviceRef("pi", "other")), "pi (other)"),
    ],
)
def test_a_condition_that_differs_is_named_with_both_values(
    measured: Result, condition: str, change: Callable[[Result], Result], second: str
) -> None:
    (difference,) = comparability(measured, change(measured))
    assert difference.condition == condition
    assert difference.second == second
    assert difference.first != second


def test_what_does_not_move_figures_is_no_difference(measured: Result) -> None:
    other = changed_condition(load_average_1m="3", temperature_c="54.9 (cpu)")(measured)
    renamed = replace(other, device=replace(other.device, name="the other name"))
    assert comparability(measured, renamed) == ()
    untold = changed_condition(governor="unknown: here")(measured)
    told_neither = changed_condition(governor="unknown: there")(measured)
    assert comparability(untold, told_neither) == ()
    longer = changed_settings(repeats=5, min_duration_s=3.0, policy="strict")(measured)
    assert comparability(measured, longer) == ()


def test_a_setting_that_neither_device_has_is_no_difference(measured: Result) -> None:
    without = changed_condition(power_mode="none: no modes here", boost="none: no switch")(measured)
    kept = {name: text for name, text in without.conditions.items() if name != "boost"}
    older = replace(without, conditions=kept)
    assert comparability(without, older) == ()
    (difference,) = comparability(without, changed_condition(power_mode="15W")(without))
    assert (difference.condition, difference.second) == ("power mode", "15W")


def test_a_start_temperature_outside_the_band_is_a_difference(measured: Result) -> None:
    (difference,) = comparability(measured, changed_condition(temperature_c="55.1")(measured))
    assert "start temperature" in difference.condition
    assert (difference.first, difference.second) == ("50.0 (cpu)", "55.1")


def test_equals_are_matched_first_and_the_rest_by_what_they_share(make_result: MakeResult) -> None:
    first = [make_result("float", latency_p50_ms=1.0, threads=n) for n in (1, 2)]
    second = [make_result("float", latency_p50_ms=1.0, threads=n) for n in (4, 1)]
    second.append(make_result("int8", latency_p50_ms=1.0))
    found = side_by_side(first, second)
    threads = [(pair.first.settings.threads, pair.second.settings.threads) for pair in found.pairs]
    assert threads == [(1, 1), (2, 4)]
    assert [len(pair.differences) for pair in found.pairs] == [0, 1]
    assert [result.variant for result in found.alone] == ["int8"]


def test_the_ratio_has_a_welch_interval_over_repeats(
    make_result: MakeResult, make_raw_arm: Callable[..., RawArm]
) -> None:
    slow = make_raw_arm(((200,), (202,), (204,)))
    fast = make_raw_arm(((100,), (101,), (102,)))
    a = make_result("float", latency_p50_ms=0.202, raw=slow)
    b = make_result("float", latency_p50_ms=0.101, raw=fast)
    (pair,) = side_by_side([a], [b]).pairs
    assert pair.ratio == pytest.approx(2.0)
    assert pair.ci95 is not None
    assert 1.9 < pair.ci95[0] < 2.0 < pair.ci95[1] < 2.1
    assert pair.verdict == "slower"


def test_what_is_invalid_or_failed_has_no_ratio(make_result: MakeResult) -> None:
    good = make_result("float", latency_p50_ms=1.0)
    void = Metric(1.0, "ms", "measured", valid=False, reason="throttled")
    invalid = make_result("float", latency_p50_ms=void)
    failed = make_result("float", error=Failure("model", "refused"))
    for other, said in ((invalid, "INVALID: throttled"), (failed, "failed: refused")):
        (pair,) = side_by_side([good], [other]).pairs
        assert pair.ratio is None
        assert pair.reason == said
