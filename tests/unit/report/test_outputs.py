import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console
from trimtab.decide.choose import decide
from trimtab.measure.wording import show
from trimtab.metrics import METRICS
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
from trimtab.report import json_output, tables, terminal
from trimtab.report.verdict import verdict
from trimtab_protos.errors import Failure

MakeResult = Callable[..., Result]
VOID = Metric(0.05, "ms", "measured", (0.04, 0.06), valid=False, reason="THROTTLED: 90 °C")
THROTTLED = Check("THROTTLED", "failed", True, ("latency",), "90 °C", "cool it")
GOVERNOR = Check("GOVERNOR", "unknown", True, ("latency",), "no governor here")
NO_ENERGY = Metric(None, "mJ", "unavailable", reason="no power sensor found")


@pytest.fixture
def results(make_result: MakeResult) -> list[Result]:
    return [
        make_result(
            "float",
            checks=[GOVERNOR],
            latency_p50_ms=(0.0312, 0.0305, 0.032),
            latency_p90_ms=0.0345,
            accuracy=(0.9833, 0.964, 0.9923),
            size_mb=0.19,
            memory_peak_mb=52.1,
            energy_mj=NO_ENERGY,
        ),
        make_result("int8", checks=[THROTTLED], latency_p50_ms=VOID, energy_mj=NO_ENERGY),
        make_result("odd", model_format="tflite", error=Failure("model", "no | such\noperator")),
    ]


@pytest.fixture
def run(results: list[Result]) -> Run:
    decision = decide(results, [Requirement("accuracy", ">=", 0.9)], Objective("latency_p50_ms"))
    recipe = ({"use": "quantize", "scheme": "static"},)
    variants = (
        Variant("float", "onnx", (), ("exported",), results[0].artifact),
        Variant("odd", "pte", recipe, (), None, Failure("model", "cannot be exported")),
    )
    return Run("id-1", "n", "2026-01-01T00:00:00+00:00", variants, tuple(results), decision)


def rendered(view: Any, width: int = 120) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width, no_color=True).print(view)
    return stream.getvalue()


def test_the_bench_json_has_the_documented_keys(results: list[Result]) -> None:
    content = json.loads(json.dumps(json_output.bench_json(results), allow_nan=False))
    assert set(content) == {"schema", "results"}
    assert content["schema"] == "trimtab.bench/1"
    for result in content["results"]:
        assert set(result) == {
            "device",
            "runtime",
            "artifact",
            "settings",
            "verdict",
            "robustness",
            "error",
            "metrics",
            "sample_count",
            "process_count",
            "diagnostics",
            "conditions",
            "profile",
            "sustained",
        }
        assert set(result["artifact"]) == {"file", "format", "sha256", "size_bytes"}
        assert set(result["verdict"]) == {"valid", "checks"}
        assert set(result["runtime"]["accelerator"]) == {"asked", "used"}
        for metric in result["metrics"].values():
            assert set(metric) == {"value", "unit", "ci95", "valid", "provenance", "reason"}


def test_the_json_keeps_values_voids_and_failures_apart(results: list[Result]) -> None:
    measured, void, failed = json_output.bench_json(results)["results"]
    assert measured["metrics"]["latency_p50_ms"] == {
        "value": 0.0312,
        "unit": "ms",
        "ci95": [0.0305, 0.032],
        "valid": True,
        "provenance": "measured",
        "reason": None,
    }
    assert measured["metrics"]["energy_mj"]["value"] is None
    assert measured["metrics"]["energy_mj"]["provenance"] == "unavailable"
    assert measured["verdict"]["valid"]
    assert measured["error"] is None
    assert not void["metrics"]["latency_p50_ms"]["valid"]
    assert void["verdict"] == {
        "valid": False,
        "checks": [
            {
                "name": "THROTTLED",
                "outcome": "failed",
                "severity": "invalidates",
                "metrics": ["latency"],
                "seen": "90 °C",
                "advice": "cool it",
            }
        ],
    }
    assert failed["error"] == {"class": "model", "message": "no | such\noperator"}
    assert failed["metrics"] == {}


def test_the_json_tells_how_the_samples_of_each_repeat_depend_on_each_other(
    make_result: MakeResult, make_raw_arm: Callable[..., RawArm]
) -> None:
    steps = [100 + (index // 5) % 7 for index in range(400)]
    measured = make_result(latency_p50_ms=0.1, raw=make_raw_arm((steps, steps[:20])))
    content = json_output.bench_json([measured, make_result()])
    told, bare = (each["diagnostics"] for each in json.loads(json.dumps(content))["results"])
    assert (told["reason"], told["sample_count"]) == (None, 420)
    assert 1 <= told["effective_sample_size"] < 420
    first, second = told["repeats"]
    assert set(first) == {
        "index",
        "sample_count",
        "p50_ms",
        "rank_autocorrelation",
        "effective_sample_size",
        "block_length",
        "within_repeat_ci95_ms",
        "reason",
    }
    assert first["p50_ms"] == pytest.approx(0.103)
    assert set(first["rank_autocorrelation"]) == {"1", "10", "100"}
    low, high = first["within_repeat_ci95_ms"]["p50"]
    assert 0.1 <= low <= 0.103 <= high <= 0.106
    assert second["within_repeat_ci95_ms"]["p90"] is None
    assert bare == {
        "reason": "the raw samples are not at hand",
        "sample_count": None,
        "effective_sample_size": None,
        "repeats": [],
    }


def test_the_run_json_adds_variants_and_the_decision(run: Run) -> None:
    content = json.loads(json.dumps(json_output.run_json(run), allow_nan=False))
    assert set(content) == {"schema", "run_id", "variants", "results", "decision"}
    assert (content["schema"], content["run_id"]) == ("trimtab.run/1", "id-1")
    assert [each["variant"] for each in content["results"]] == ["float", "int8", "odd"]
    assert content["results"][0]["job_id"] == "job-1"
    (device,) = content["decision"]["devices"]
    assert device["chosen"]["result"] == 0
    assert device["chosen"]["label"] == "float (onnx, onnxruntime)"
    assert [each["meets_requirements"] for each in device["not_chosen"]] == [False, False]
    assert content["variants"][1]["artifact"] is None
    assert content["variants"][1]["error"]["message"] == "cannot be exported"


def test_csv_has_five_columns_for_each_metric(results: list[Result]) -> None:
    rows = list(csv.DictReader(io.StringIO(tables.render(results, "csv"))))
    for name in METRICS:
        assert {name, f"{name}_lo", f"{name}_hi", f"{name}_provenance", f"{name}_reason"} <= set(
            rows[0]
        )
    first, void, failed = rows
    assert (first["latency_p50_ms"], first["latency_p50_ms_lo"]) == ("0.0312", "0.0305")
    assert first["energy_mj"] == ""
    assert first["energy_mj_reason"] == "no power sensor found"
    assert void["latency_p50_ms_reason"] == "INVALID: THROTTLED: 90 °C"
    assert (void["valid"], first["valid"]) == ("false", "true")
    assert failed["latency_p50_ms_provenance"] == "unavailable"
    assert failed["error"] == "model: no | such\noperator"


def test_markdown_cells_cannot_break_the_table(make_result: MakeResult) -> None:
    text = tables.render([make_result("a|b\nc<script>", latency_p50_ms=1.0)], "markdown")
    header, _, row, *_ = text.splitlines()
    assert row.startswith("| a\\|b c&lt;script> | onnx | 1.00 |")
    assert header.count("|") == row.replace("\\|", "").count("|")


def test_an_unknown_format_is_refused(results: list[Result]) -> None:
    with pytest.raises(UserError, match="unknown format yaml"):
        tables.render(results, "yaml")


def test_the_terminal_table_shows_figures_intervals_and_verdicts(results: list[Result]) -> None:
    text = rendered(terminal.results_view(results, 120))
    assert "0.0312 [0.0305, 0.0320]" in text
    assert "0.983 [0.964, 0.992]" in text
    assert "VALID, 1 warning" in text
    assert "! 0.0500" in text
    assert "INVALID: THROTTLED" in text
    assert "FAILED: model" in text
    assert "energy_mj unavailable: no power sensor found" in text


@pytest.mark.parametrize("width", [80, 100, 120])
def test_no_figure_is_cut_at_common_widths(results: list[Result], width: int) -> None:
    text = rendered(terminal.results_view(results, width), width)
    assert max(len(line) for line in text.splitlines()) <= width
    for figure in ("0.0312", "[0.0305, 0.0320]", "0.0345", "52.1", "0.190", "[0.964, 0.992]"):
        assert figure in text


def test_without_any_accuracy_its_column_gives_way_to_the_reason(make_result: MakeResult) -> None:
    none = Metric(None, "fraction", "unavailable", reason="no evaluation set was given")
    table = tables.results_table([make_result("a", latency_p50_ms=1, accuracy=none)])
    assert "accuracy" not in table.columns
    assert "accuracy unavailable: no evaluation set was given" in table.notes


def test_a_peak_that_is_largely_mapped_weights_has_a_note(make_result: MakeResult) -> None:
    mapped = make_result(
        "mapped", memory_peak_mb=252, memory_peak_file_mb=131, memory_model_file_mb=105
    )
    copied = make_result(
        "copied", memory_peak_mb=170, memory_peak_file_mb=40, memory_model_file_mb=11
    )
    notes = [note for note in tables.results_table([mapped, copied]).notes if "evict" in note]
    assert len(notes) == 1
    assert "mapped" in notes[0].partition("peak")[0]
    assert "252 MB" in notes[0]
    assert "131 MB" in notes[0]


def test_what_differs_between_candidates_has_a_column(make_result: MakeResult) -> None:
    one, two = make_result("a"), make_result("a", threads=2, device="pi")
    assert tables.results_table([one, one]).columns[:2] == ("candidate", "format")
    assert tables.results_table([one, two]).columns[:4] == (
        "device",
        "candidate",
        "format",
        "threads",
    )


def test_the_decision_on_the_terminal_names_the_chosen_one_and_each_reason(run: Run) -> None:
    assert run.decision is not None
    text = rendered(terminal.decision_view(run.decision, run.results))
    assert "local: ship float (onnx, onnxruntime)" in text
    for each in run.decision.devices[0].not_chosen:
        assert each.label in text
    assert "accuracy >= 0.9" in text


def test_names_cannot_steer_the_terminal_or_its_markup(make_result: MakeResult) -> None:
    result = make_result("[red]x\x1b[2J", latency_p50_ms=1.0)
    decision = decide([result], [], Objective("latency_p50_ms"))
    for view in (
        terminal.results_view([result], 120),
        terminal.decision_view(decision, [result]),
    ):
        text = rendered(view)
        assert "\x1b" not in text
        assert "[red]x" in text


def test_a_void_figure_beside_a_valid_latency_is_named(make_result: MakeResult) -> None:
    void = Metric(0.5, "fraction", "measured", valid=False, reason="NaN")
    assert verdict(make_result(latency_p50_ms=1, accuracy=void)).text == "VALID, but not accuracy"


@pytest.mark.parametrize(
    ("metric", "text"),
    [
        (Metric(0.0312, "ms", "measured", (0.0305, 0.032)), "0.0312 ms [0.0305, 0.0320]"),
        (Metric(1234.5, "ms", "measured"), "1234 ms"),
        (Metric(0.00013, "ms", "measured"), "0.000130 ms"),
        (Metric(0.98331, "fraction", "measured"), "0.9833"),
        (Metric(2.0, "", "derived"), "2.00"),
        (Metric(0.0, "MB", "measured"), "0 MB"),
        (Metric(None, "mJ", "unavailable", reason="no sensor"), "unavailable: no sensor"),
    ],
)
def test_figures_have_three_significant_digits(metric: Metric, text: str) -> None:
    assert show(metric) == text


def test_of_files_what_was_compared_is_told_and_of_variants_what_disagrees(
    make_result: MakeResult,
) -> None:
    good = Check("OUTPUTS_AGREE", "passed", True, (), "against ref.onnx: SQNR y 30.0 dB")
    bad = Check("OUTPUTS_AGREE", "failed", True, (), "against ref.onnx: SQNR y 0.7 dB", "look")
    unknown = Check("OUTPUTS_AGREE", "unknown", True, (), "not compared: 2 outputs, not 1")
    unasked = Check("OUTPUTS_AGREE", "not_applicable", True, (), "no reference given")
    results = [
        make_result(None, checks=[good], latency_p50_ms=1),
        make_result(None, checks=[unknown], latency_p50_ms=1),
        make_result(None, checks=[unasked], latency_p50_ms=1),
        make_result("int8", checks=[good], latency_p50_ms=1),
        make_result("fp16", checks=[unknown], latency_p50_ms=1),
        make_result("int4", checks=[bad], latency_p50_ms=1),
    ]
    notes = [note for note in tables.results_table(results).notes if note.startswith("outputs of")]
    assert notes == [
        "outputs of model.onnx (onnx, onnxruntime), against ref.onnx: SQNR y 30.0 dB",
        "outputs of model.onnx (onnx, onnxruntime), not compared: 2 outputs, not 1",
        "outputs of int4 (onnx, onnxruntime) disagree, against ref.onnx: SQNR y 0.7 dB",
    ]
