"""The fastest setting is named only where the intervals tell it apart."""

import csv
import io
from collections.abc import Callable
from dataclasses import replace

from trimtab.records import Check, Metric, Result
from trimtab.report.best_setting import best_setting_notes
from trimtab.report.scenario import scenario_notes
from trimtab.report.tables import results_table
from trimtab.report.text_formats import csv_text
from trimtab_protos.errors import Failure

MakeResult = Callable[..., Result]


def test_the_lowest_is_named_where_its_interval_stands_alone(make_result: MakeResult) -> None:
    results = [
        make_result(threads=1, latency_p50_ms=(0.20, 0.19, 0.21)),
        make_result(threads=2, latency_p50_ms=(0.11, 0.10, 0.12)),
        make_result(threads=4, latency_p50_ms=(0.15, 0.14, 0.16)),
    ]
    line = "best for float (onnx): onnxruntime, 2 threads: 0.110 ms"
    assert best_setting_notes(results) == [line]
    assert line in results_table(results).notes


def test_overlapping_intervals_are_no_difference(make_result: MakeResult) -> None:
    results = [
        make_result(threads=1, latency_p50_ms=(0.20, 0.19, 0.21)),
        make_result(threads=2, latency_p50_ms=(0.19, 0.18, 0.20)),
        make_result(threads=4, latency_p50_ms=(0.30, 0.29, 0.31)),
    ]
    (line,) = best_setting_notes(results)
    assert line == (
        "best for float (onnx): no difference seen between onnxruntime, 2 threads (0.190 ms) "
        "and onnxruntime, 1 thread"
    )


def test_one_process_each_tells_no_best(make_result: MakeResult) -> None:
    results = [make_result(threads=count, latency_p50_ms=0.1 * count) for count in (1, 2)]
    (line,) = best_setting_notes(results)
    assert "cannot be told from one process each" in line


def test_invalid_and_failed_ones_are_not_the_best(make_result: MakeResult) -> None:
    void = Metric(0.01, "ms", "measured", (0.009, 0.011), valid=False, reason="hot")
    hot = Check("THROTTLED", "failed", True, ("latency",), "90 °C")
    results = [
        make_result(threads=1, latency_p50_ms=(0.20, 0.19, 0.21)),
        make_result(threads=2, latency_p50_ms=void, checks=[hot]),
        make_result(threads=4, error=Failure("model", "no")),
    ]
    assert best_setting_notes(results) == []


def test_files_and_devices_are_apart(make_result: MakeResult) -> None:
    results = [
        make_result(threads=threads, device=device, latency_p50_ms=(p50, p50 * 0.99, p50 * 1.01))
        for device in ("pi", "phone")
        for threads, p50 in ((1, 0.2), (2, 0.1))
    ]
    lines = best_setting_notes([*results, make_result("int8", latency_p50_ms=(1.0, 0.9, 1.1))])
    assert len(lines) == 2
    assert lines[0].startswith("best for float (onnx) on pi: onnxruntime, 2 threads")


def test_batches_and_rates_are_said(make_result: MakeResult) -> None:
    plain = make_result(latency_p50_ms=1.0, throughput_per_s=1000.0)
    assert scenario_notes([plain]) == []
    batch = replace(plain, settings=replace(plain.settings, batch_size=8))
    of_a_batch, throughput = scenario_notes([batch])
    (row,) = csv.DictReader(io.StringIO(csv_text([batch])))
    assert (row["batch_size"], row["rate_hz"]) == ("8", "")
    assert "a batch of 8, not of one sample" in of_a_batch
    assert "1000 1/s" in throughput
    rate = replace(plain, settings=replace(plain.settings, rate_hz=30.0))
    assert scenario_notes([rate]) == ["latencies at 30 inferences a second, not back to back"]
