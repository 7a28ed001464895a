import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from trimtab.decide.choose import decide
from trimtab.records import (
    Check,
    Metric,
    Objective,
    RawArm,
    Requirement,
    Result,
    Run,
    UserError,
    Variant,
)
from trimtab.report.html import render_report, write_report
from trimtab_protos.errors import Failure

MakeResult = Callable[..., Result]
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def run(make_result: MakeResult) -> Run:
    checks = [
        Check("FOREIGN_LOAD", "failed", False, ("latency",), "0.31 of a processor", "stop it"),
        Check("CLOCK_MONOTONIC", "passed", True, (), "in order"),
    ]
    fast = make_result(
        "int8",
        checks=checks,
        latency_p50_ms=(0.02, 0.019, 0.022),
        accuracy=(0.97, 0.95, 0.98),
        size_mb=0.06,
    )
    slow = make_result(
        "float", checks=checks, latency_p50_ms=(0.031, 0.030, 0.032), accuracy=0.98, size_mb=0.2
    )
    failed = make_result("odd", model_format="tflite", error=Failure("model", "no such operator"))
    results = (fast, slow, failed)
    recipe = ({"use": "quantize", "scheme": "static"},)
    variants = (
        Variant("int8", "onnx", recipe, ("verified: difference 1e-3",), fast.artifact),
        Variant("int4", "onnx", recipe, (), None, Failure("model", "ONNX cannot carry it")),
    )
    decision = decide(results, [Requirement("accuracy", ">=", 0.9)], Objective("latency_p50_ms"))
    return Run("id-1", "digits", "2026-01-01T00:00:00+00:00", variants, results, decision)


class Page(HTMLParser):
    """Text outside scripts and styles; how often each tag opens; what would be fetched."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.tags: dict[str, int] = {}
        self.fetched: list[str] = []
        self._silent = False
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href")]
        self._silent = tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._silent = False

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.text.append(data)

    def says(self, text: str) -> bool:
        return text in re.sub(r"\s+", " ", "".join(self.text))


def test_the_page_tells_the_decision_with_its_reasons(run: Run) -> None:
    page = Page(render_report(run))
    assert page.says("Ship int8 (onnx, onnxruntime)")
    assert run.decision is not None
    decided = run.decision.devices[0]
    assert page.says(decided.reason)
    for each in decided.not_chosen:
        assert page.says(each.label)
        assert page.says(each.reason)


def test_the_page_tells_figures_checks_lineage_and_failures(run: Run) -> None:
    page = Page(render_report(run))
    for text in (
        "[0.0190, 0.0220]",
        "0.31 of a processor",
        "1 check passed",
        "quantize: scheme = static",
        "verified: difference 1e-3",
        "not made (model): ONNX cannot carry it",
        "model: no such operator",
        "a board: 4 × Cortex-A76, 8 GiB",
        "t-interval over the repeats",
    ):
        assert page.says(text), text


def test_the_page_tells_how_dependent_each_repeat_s_samples_are(
    make_result: MakeResult, make_raw_arm: Callable[..., RawArm], run: Run
) -> None:
    hidden = "How the samples depend on each other"
    assert not Page(render_report(run)).says(hidden)
    raw = make_raw_arm(([100 + (index // 5) % 7 for index in range(400)], [5.0] * 50))
    measured = make_result("int8", latency_p50_ms=0.1, size_mb=1, raw=raw)
    page = Page(render_report(replace(run, results=(measured,), decision=None)))
    assert page.says(hidden)
    assert page.says("int8 (onnx, onnxruntime)1400")
    assert page.says("int8 (onnx, onnxruntime)250––––0.00500––")


def test_the_page_fetches_nothing(run: Run) -> None:
    page = Page(render_report(run))
    assert page.fetched == []
    assert "link" not in page.tags
    assert "default-src 'none'" in render_report(run)


def test_hostile_names_stay_text_everywhere(run: Run) -> None:
    harmless = Page(render_report(run))
    device = replace(run.results[0].device, name=HOSTILE, description=HOSTILE)
    results = tuple(
        replace(
            each,
            device=device,
            variant=HOSTILE + (each.variant or ""),
            conditions={HOSTILE: HOSTILE},
            checks=tuple(replace(check, seen=HOSTILE, advice=HOSTILE) for check in each.checks),
            error=Failure("model", HOSTILE) if each.error else None,
        )
        for each in run.results
    )
    variants = tuple(
        replace(each, name=HOSTILE, lineage=(HOSTILE,), recipe=({"use": HOSTILE},))
        for each in run.variants
    )
    decision = decide(results, [], Objective("latency_p50_ms"))
    hostile = replace(run, name=HOSTILE, variants=variants, results=results, decision=decision)
    source = render_report(hostile)
    assert HOSTILE not in source
    page = Page(source)
    assert page.says(f"Ship {HOSTILE}int8")
    assert page.tags["script"] == harmless.tags["script"]


def test_without_accuracy_the_plot_shows_sizes(make_result: MakeResult, run: Run) -> None:
    bare = tuple(make_result(name, latency_p50_ms=1.0, size_mb=0.1) for name in ("a", "b"))
    page = Page(render_report(replace(run, results=bare, decision=None)))
    assert page.says("Size over latency")
    assert not page.says("Decision")
    assert not page.says("gold ring")


def test_one_result_alone_has_no_plot(make_result: MakeResult, run: Run) -> None:
    alone = (make_result("a", latency_p50_ms=1.0, size_mb=0.1),)
    page = Page(render_report(replace(run, results=alone, decision=None)))
    assert not page.says("Size over latency")
    assert "script" not in page.tags


def test_where_nothing_was_measured_the_page_still_says_why(
    make_result: MakeResult, run: Run
) -> None:
    failed = (make_result("a", error=Failure("device", "unreachable")),)
    decision = decide(failed, [], Objective("latency_p50_ms"))
    page = Page(render_report(replace(run, results=failed, decision=decision)))
    assert page.says("Nothing to ship")
    assert page.says("device: unreachable")
    assert page.says("No check was made.")
    assert "script" not in page.tags


def test_memory_is_told_in_all_its_parts_with_the_reason_of_what_is_missing(
    make_result: MakeResult, run: Run
) -> None:
    no_arena = Metric(None, "MB", "unavailable", reason="only with --profile")
    known = make_result("a", memory_peak_mb=252, memory_peak_anon_mb=121, memory_arena_mb=no_arena)
    page = Page(render_report(replace(run, results=(known,), decision=None)))
    for text in ("Memory, in MB", "252", "121", "memory_arena_mb unavailable: only with --profile"):
        assert page.says(text), text
    assert not Page(render_report(run)).says("Memory, in MB")


def test_a_run_without_results_has_a_page(run: Run) -> None:
    assert Page(render_report(replace(run, results=(), decision=None))).says("digits")


def test_an_invalid_figure_is_shown_as_such(make_result: MakeResult, run: Run) -> None:
    void = Metric(0.05, "ms", "measured", valid=False, reason="SPREAD: 40 %")
    check = Check("SPREAD", "failed", True, ("latency",), "40 %", "let it rest")
    results = (make_result("a", checks=[check], latency_p50_ms=void, accuracy=0.9, size_mb=1),)
    page = Page(render_report(replace(run, results=results, decision=None)))
    assert page.says("! 0.0500")
    assert page.says("INVALID: SPREAD")
    assert page.says("failed, voids latency")


def test_the_file_is_written_whole_or_not_at_all(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "out" / "report.html"
    write_report(run, path)
    assert path.read_text(encoding="utf-8").rstrip().endswith("</html>")
    assert [each.name for each in path.parent.iterdir()] == ["report.html"]
    with pytest.raises(UserError, match="cannot be written"):
        write_report(run, path / "inside" / "a.html")


def test_the_page_tells_the_settings_in_force(run: Run) -> None:
    settings = replace(run.results[0].settings, rate_hz=30.0, min_sqnr_db=12.0)
    results = tuple(replace(each, settings=settings) for each in run.results)
    page = Page(render_report(replace(run, results=results, decision=None)))
    assert page.says("policy quick (a first look) · 3 processes per candidate · 30 inferences")
    assert page.says("min_sqnr_db126outputs below it disagree with their reference")


def test_checks_of_one_name_stand_together(make_result: MakeResult, run: Run) -> None:
    spread = Check("SPREAD", "failed", True, ("latency",), "40 %", "let it rest")
    load = Check("LOAD", "failed", True, ("latency",), "50 %", "stop it")
    first = make_result("a", checks=[spread, load], latency_p50_ms=1)
    second = make_result("b", checks=[replace(spread, seen="45 %")], latency_p50_ms=1)
    source = render_report(replace(run, results=(first, second), decision=None))
    assert source.index("40 %") < source.index("45 %") < source.index("50 %")
