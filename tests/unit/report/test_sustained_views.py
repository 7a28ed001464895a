"""A sustained load as a user sees it: terminal, JSON, CSV, Markdown and the page."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from trimtab.measure.summarize import build_result
from trimtab.records import (
    Artifact,
    Check,
    MeasurementSettings,
    RawArm,
    RawRepeat,
    Result,
    Run,
    SensorSeries,
)
from trimtab.report import json_output, tables
from trimtab.report.html import render_report
from trimtab.report.sustained_terminal import MOST_ROWS, print_sustained

SECOND = 10**9
SENTENCE = (
    "sustained p50 1.42 ms, 1.31 x the first 10 s (1.08 ms); throttling from 4 min 10 s on: "
    "frequency down from 1800 to 1400 MHz, at 81.2 °C"
)


def a_repeat(index: int, with_sensors: bool) -> RawRepeat:
    starts = np.arange(0, 600 * SECOND, SECOND // 20)
    times = np.arange(0, 600 * SECOND, SECOND // 4)
    heat = 50 + np.minimum(times / SECOND, 250) / 8
    frequency = np.where(times < 250 * SECOND, 1800.0, 1400.0)
    sensors = {
        "temperature_c": SensorSeries(times, heat),
        "frequency_mhz": SensorSeries(times, frequency),
    }
    latency = np.where(starts < 250 * SECOND, 1_080_000, 1_420_000)
    return RawRepeat(index, starts, latency, 5, 5, None, sensors if with_sensors else {})


@pytest.fixture
def sustained(
    make_raw_arm: Callable[..., RawArm],
    make_artifact: Callable[..., Artifact],
    make_result: Callable[..., Result],
) -> Callable[..., Result]:
    def make(repeats: int = 1, with_sensors: bool = True) -> Result:
        check = Check("NOT_THROTTLED", "failed", True, ("latency",), "from 250 s on", "cool it")
        raw = replace(
            make_raw_arm(checks=[check]),
            repeats=tuple(a_repeat(index, with_sensors) for index in range(repeats)),
            conditions={"temperature_c": "unknown: no thermal zone"} if not with_sensors else {},
        )
        settings = MeasurementSettings("onnxruntime", sustain_s=600.0, repeats=repeats)
        device = make_result().device
        return build_result(raw, make_artifact(), settings, device, variant="float")

    return make


Make = Callable[..., Result]


def a_run(*results: Result) -> Run:
    return Run("id-1", "n", "2026-01-01T00:00:00+00:00", (), results)


def printed(*results: Result) -> str:
    stream = io.StringIO()
    print_sustained(results, Console(file=stream, width=120, no_color=True))
    return stream.getvalue()


def test_the_terminal_shows_the_course_and_a_few_of_its_intervals(sustained: Make) -> None:
    text = printed(sustained())
    assert "1 thread on local: 10 min in 60 intervals of 10 s" in text
    lines = {line.split()[0]: line for line in text.splitlines() if line}
    assert "▁▁▁" in lines["p50"]
    assert "███" in lines["p50"]
    assert lines["p50"].endswith("1.08 to 1.42 ms")
    assert lines["temperature"].endswith("50.6 to 81.2 °C")
    assert lines["frequency"].endswith("1400 to 1800 MHz")
    rows = [line for line in text.splitlines() if line.strip().endswith((" 1800", " 1400"))]
    assert len(rows) == MOST_ROWS
    assert rows[0].split() == ["0", "s", "1.08", "1.08", "50.6", "1800"]
    assert rows[-1].split() == ["9", "min", "50", "s", "1.42", "1.42", "81.2", "1400"]


def test_what_no_sensor_told_is_said_and_no_figure_stands_for_it(sustained: Make) -> None:
    text = printed(sustained(with_sensors=False))
    assert "temperature_c unavailable: no thermal zone" in text
    assert text.count("–    –") == MOST_ROWS
    assert "frequency  " not in text


def test_an_ordinary_result_shows_no_curve(make_result: Callable[..., Result]) -> None:
    ordinary = make_result(latency_p50_ms=1.0)
    assert printed(ordinary) == ""
    assert json_output.bench_json([ordinary])["results"][0]["sustained"] is None
    assert "sustained ms" not in tables.results_table([ordinary]).columns
    assert "Sustained load" not in render_report(a_run(ordinary))


def test_the_json_holds_every_interval_of_every_repeat(sustained: Make) -> None:
    content = json.loads(json.dumps(json_output.bench_json([sustained(2)]), allow_nan=False))
    (result,) = content["results"]
    assert result["sustained"]["duration_s"] == 600
    assert len(result["sustained"]["repeats"]) == 2
    for repeat in result["sustained"]["repeats"]:
        assert len(repeat["intervals"]) == 60
        assert set(repeat["intervals"][0]) == {
            "start_s",
            "end_s",
            "sample_count",
            "p50_ms",
            "p90_ms",
            "temperature_c",
            "frequency_mhz",
        }
        assert (repeat["initial_p50_ms"], repeat["sustained_p50_ms"]) == (1.08, 1.42)
        assert repeat["slowdown"] == pytest.approx(1.42 / 1.08)
        assert repeat["throttling"]["from_s"] == 250.0
    bare = json_output.bench_json([replace(sustained(), raw=None)])["results"][0]
    assert bare["sustained"]["repeats"] == []


def test_the_table_has_the_figure_and_the_sentence(sustained: Make) -> None:
    table = tables.results_table([sustained()])
    cells = dict(zip(table.columns, table.rows[0].cells, strict=True))
    assert (cells["sustained ms"].text, cells["sustained ms"].void) == ("1.42", False)
    assert cells["p50 ms"].void
    assert SENTENCE in table.notes
    (row,) = csv.DictReader(io.StringIO(tables.render([sustained()], "csv")))
    assert row["sustain_s"] == "600.0"
    assert row["latency_sustained_ms"] == "1.42"
    assert row["latency_p50_ms_reason"].startswith("INVALID: NOT_THROTTLED")


def test_the_page_draws_each_curve_and_carries_plotly_once(sustained: Make) -> None:
    source = render_report(a_run(sustained(), sustained(2)))
    assert source.count('class="plotly-graph-div"') == 1 + 1 + 2
    assert source.count("plotly.js v") == 1
    assert "1. Sustained load of float (onnx, onnxruntime)" in source
    assert SENTENCE in source
    assert "throttling: frequency down" in source


def test_a_page_with_nothing_but_curves_still_carries_plotly(sustained: Make) -> None:
    result = sustained()
    unplotted: dict[str, Any] = {**result.metrics}
    del unplotted["latency_p50_ms"]
    source = render_report(a_run(replace(result, metrics=unplotted)))
    assert source.count("plotly.js v") == 1
    assert source.count('class="plotly-graph-div"') == 1


def test_what_a_device_calls_its_sensors_stays_text(sustained: Make) -> None:
    result = sustained(with_sensors=False)
    assert result.raw is not None
    hostile = {"temperature_c": "unknown: <script>alert(1)</script>"}
    raw = replace(result.raw, conditions=hostile)
    source = render_report(a_run(replace(result, raw=raw)))
    assert "<script>alert(1)" not in source
    assert "&lt;script&gt;alert(1)" in source
