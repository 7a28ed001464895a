"""A decision does not keep quiet about a class that collapsed."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from trimtab.campaign.choice import choose
from trimtab.decide.choose import decide
from trimtab.decide.requirements import parse_requirement
from trimtab.records import ClassAccuracy, Metric, Objective, Result, Robustness, Run

MakeResult = Callable[..., Result]
FASTEST = Objective("latency_p50_ms")
SMALLEST = Objective("size_mb")
FALL = "class cat fell from 0.9500 to 0.4000 on 40 samples; all samples by 0.0600"


def robustness(*collapsed: str) -> Robustness:
    fine = ClassAccuracy("dog", 40, 0.9, 0.925, -0.025, (-0.1, 0.05), 1.0, True)
    fallen = [
        ClassAccuracy(name, 40, 0.4, 0.95, -0.55, (-0.7, -0.37), 1e-6, True, True)
        for name in collapsed
    ]
    return Robustness((fine, *fallen), mean_drop=0.06)


@pytest.fixture
def results(make_result: MakeResult) -> list[Result]:
    """A small variant with a collapsed class, and a larger one without."""
    bad = make_result("bad", latency_p50_ms=1, size_mb=2, accuracy=0.9, worst_class_drop=0.55)
    fine = make_result("fine", latency_p50_ms=2, size_mb=1, accuracy=0.9, worst_class_drop=0.025)
    return [
        replace(bad, robustness=robustness("cat")),
        replace(fine, robustness=robustness()),
    ]


def test_the_chosen_one_is_chosen_with_a_warning(results: list[Result]) -> None:
    (device,) = decide(results, [], FASTEST).devices
    assert device.chosen is results[0]
    assert device.warnings == (FALL,)


def test_one_that_was_not_chosen_has_it_beside_its_reason(results: list[Result]) -> None:
    (device,) = decide(results, [], SMALLEST).devices
    assert device.chosen is results[1]
    assert device.warnings == ()
    (other,) = device.not_chosen
    assert other.reason.endswith(f"; besides, {FALL}")
    assert other.meets_requirements


def test_a_limit_on_the_worst_class_refuses_it_and_names_the_class(results: list[Result]) -> None:
    limit = parse_requirement("worst_class_drop<=0.05")
    (device,) = decide(results, [limit], FASTEST).devices
    assert device.chosen is results[1]
    (other,) = device.not_chosen
    assert not other.meets_requirements
    assert other.reason.startswith(
        "worst_class_drop 0.5500, limit <= 0.05 (class cat fell from 0.9500 to 0.4000)"
    )


def test_a_limit_on_what_is_unavailable_is_not_met(make_result: MakeResult) -> None:
    missing = Metric(None, "fraction", "unavailable", reason="too few samples: 10 classes")
    result = make_result("a", latency_p50_ms=1, worst_class_drop=missing)
    (device,) = decide([result], [parse_requirement("worst_class_drop<=0.05")], FASTEST).devices
    assert device.chosen is None
    assert "too few samples" in device.reason


def test_of_many_collapsed_classes_three_are_named(results: list[Result]) -> None:
    many = replace(results[0], robustness=robustness(*"abcde"))
    (device,) = decide([many], [], FASTEST).devices
    (warning,) = device.warnings
    assert warning.count("fell from") == 3
    assert "; so did 2 more classes; all samples by" in warning


def test_a_stored_runs_decision_made_again_warns_too(results: list[Result]) -> None:
    run = Run("id", "n", "2026-01-01T00:00:00+00:00", (), tuple(results))
    assert choose(run, (), FASTEST).devices[0].warnings == (FALL,)
