"""Per class and under corruption, in every kind of output."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.console import Console
from trimtab.campaign.choice import choose
from trimtab.measure.robustness import CHECK_NAME
from trimtab.records import (
    Check,
    ClassAccuracy,
    CorruptedAccuracy,
    Objective,
    Result,
    Robustness,
    Run,
)
from trimtab.report import tables, verdict
from trimtab.report.html import render_report
from trimtab.report.json_output import run_json
from trimtab.report.robustness_terminal import print_robustness
from trimtab.report.robustness_view import RobustnessView, robustness_view
from trimtab.report.terminal import print_decision, print_results

MakeResult = Callable[..., Result]
HOSTILE = "<b>cat</b>"
FAILED = Check(CHECK_NAME, "failed", False, ("accuracy",), "class 3 fell", "look")


def changed(label: str, before: float, after: float, **more: bool) -> ClassAccuracy:
    interval = (after - before - 0.05, after - before + 0.05)
    given = {"enough": True, **more}
    return ClassAccuracy(label, 40, after, before, after - before, interval, 0.5, **given)


def corrupted(name: str, accuracy: float, before: float | None) -> CorruptedAccuracy:
    drop = None if before is None else before - accuracy
    ci95 = None if drop is None else (drop - 0.03, drop + 0.03)
    near = (accuracy - 0.04, accuracy + 0.04)
    return CorruptedAccuracy(name, 200, accuracy, 0.93, near, before, drop, ci95)


@pytest.fixture
def results(make_result: MakeResult) -> list[Result]:
    """The float model, one with a collapsed class, and one from before any of it was looked at."""
    of_float = Robustness(
        tuple(ClassAccuracy(label, 40, 0.95, 0.95, 0.0) for label in ("3", HOSTILE, "5")),
        mean_drop=0.0,
        corruptions=(corrupted("noise", 0.88, None), corrupted("crop", 0.90, None)),
        severity=3,
    )
    of_bad = replace(
        of_float,
        per_class=(
            changed("3", 0.95, 0.40, collapsed=True),
            changed(HOSTILE, 0.95, 0.975),
            changed("5", 0.95, 0.70, enough=False),
        ),
        mean_drop=0.06,
        corruptions=(corrupted("noise", 0.75, 0.88), corrupted("crop", 0.90, 0.90)),
    )
    reference = make_result("float", latency_p50_ms=2, accuracy=0.95, size_mb=2)
    bad = make_result(
        "bad", checks=[FAILED], latency_p50_ms=1, accuracy=0.89, size_mb=1, worst_class_drop=0.55
    )
    old = make_result("old", latency_p50_ms=3, accuracy=0.9, size_mb=1)
    return [replace(reference, robustness=of_float), replace(bad, robustness=of_bad), old]


@pytest.fixture
def run(results: list[Result]) -> Run:
    made = Run("id-1", "digits", "2026-01-01T00:00:00+00:00", (), tuple(results))
    return replace(made, decision=choose(made, (), Objective("latency_p50_ms")))


def printed(show: Callable[[Console], None], width: int = 130) -> str:
    stream = io.StringIO()
    show(Console(file=stream, width=width, no_color=True))
    return stream.getvalue()


def view_of(results: list[Result]) -> RobustnessView:
    view = robustness_view(results, [str(result.variant) for result in results])
    assert view is not None
    return view


def test_the_terminal_tells_the_worst_class_and_the_accuracy_under_corruption(
    results: list[Result],
) -> None:
    text = printed(lambda console: print_robustness(results, console))
    assert "Per class and under corruption" in text
    assert "3: 0.9500 to 0.4000 COLLAPSED" in text
    assert "0.750 (-13.0)" in text
    assert "0.900 (+0.0)" in text
    assert "old" not in text


def test_the_terminal_says_nothing_where_nothing_was_looked_at(results: list[Result]) -> None:
    assert printed(lambda console: print_robustness(results[2:], console)) == ""


@pytest.mark.parametrize("width", [80, 160])
def test_a_collapse_stands_in_the_verdict_and_below_the_table(
    results: list[Result], width: int
) -> None:
    text = " ".join(printed(lambda console: print_results(results, console), width).split())
    if width == 160:
        assert "VALID, class 3 collapsed" in text
        assert "VALID, class 3 collapsed, 1 warning" not in text
    assert "of bad (onnx, onnxruntime) class 3 fell from 0.9500 to 0.4000 on 40 samples" in text


def test_an_invalid_result_is_flagged_too(results: list[Result]) -> None:
    metric = replace(results[1].metrics["latency_p50_ms"], valid=False, reason="hot")
    void = replace(results[1], metrics={**results[1].metrics, "latency_p50_ms": metric})
    assert verdict.verdict(void).text == "INVALID: hot, class 3 collapsed"


def test_the_decision_on_the_terminal_warns(run: Run) -> None:
    decision = run.decision
    assert decision is not None
    text = printed(lambda console: print_decision(decision, run.results, console))
    assert "WARNING: class 3 fell from 0.9500 to 0.4000" in text


def test_the_page_has_the_section_the_warning_and_escapes_names(run: Run) -> None:
    page = render_report(run)
    assert "<h2>Per class and under corruption</h2>" in page
    assert "<b>Warning:</b> class 3 fell from 0.9500 to 0.4000" in page
    assert "−55.0" in page
    assert "collapsed: 3" in page
    assert HOSTILE not in page
    assert "&lt;b&gt;cat" in page
    assert page.count("NO_CLASS_COLLAPSED") == 1


def test_the_page_of_a_run_from_before_has_no_such_section(results: list[Result]) -> None:
    old = Run("id-1", "digits", "2026-01-01T00:00:00+00:00", (), tuple(results[2:]))
    assert "Per class" not in render_report(old)


def test_cells_tell_loss_collapse_and_too_few_samples_apart(results: list[Result]) -> None:
    (row,) = view_of(results).class_rows
    fell, gained, few = row.cells
    assert (fell.text, fell.lost, fell.collapsed, fell.shade) == ("−55.0", True, True, 100)
    assert (gained.text, gained.lost, gained.collapsed) == ("+2.5", False, False)
    assert (few.is_enough, few.collapsed) == (False, False)
    assert "too few" in few.title
    assert "1 of 3 classes have too few samples" in " ".join(view_of(results).notes)


def test_of_many_classes_those_that_changed_most_are_shown(make_result: MakeResult) -> None:
    classes = tuple(changed(str(each), 0.9, 0.9 - each / 1000) for each in range(300))
    result = replace(make_result("a"), robustness=Robustness(classes, mean_drop=0.1))
    view = view_of([result])
    assert [name for name, _ in view.classes] == [str(each) for each in range(280, 300)]
    assert "of 300 classes the 20 that changed most" in view.notes


def test_json_has_every_class_the_worst_one_and_the_corruptions(run: Run) -> None:
    document = json.loads(json.dumps(run_json(run), allow_nan=False))
    _, bad, old = (each["robustness"] for each in document["results"])
    assert old is None
    assert (bad["worst_class"], bad["collapsed_classes"]) == ("3", ["3"])
    first = bad["per_class"][0]
    assert (first["label"], first["count"], first["accuracy"]) == ("3", 40, 0.40)
    assert first["float_accuracy"] == 0.95
    assert first["change"] == pytest.approx(-0.55)
    assert first["ci95"] == pytest.approx([-0.6, -0.5])
    assert first["enough_samples"]
    noise = bad["corruptions"]["noise"]
    assert (noise["accuracy"], noise["float_accuracy"]) == (0.75, 0.88)
    assert noise["drop"] == pytest.approx(0.13)
    assert noise["ci95"] == pytest.approx([0.10, 0.16])
    (device,) = document["decision"]["devices"]
    assert device["warnings"][0].startswith("class 3 fell")


def test_csv_has_the_worst_class_s_drop(results: list[Result]) -> None:
    rows = list(csv.DictReader(io.StringIO(tables.render(results, "csv"))))
    assert rows[1]["worst_class_drop"] == "0.55"
    assert rows[2]["worst_class_drop_provenance"] == "unavailable"
