"""MLPerf's load generator around the same call (SingleStream, performance only).

Prints the percentiles of its summary as JSON, or why it is not here.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchkit.by_hand import Call, load_by_hand, warm_up_by_hand

_SUMMARY = "mlperf_log_summary.txt"
_FEWEST = 100
_PERCENTILES = {"p50": "50.00", "p90": "90.00"}


def main(runtime: str, model: str, inputs: str, duration_ns: str) -> None:
    try:
        import mlperf_loadgen
    except ImportError as error:
        print(json.dumps({"unavailable": f"mlperf_loadgen cannot be imported: {error}"}))
        return
    call = load_by_hand(runtime, model, inputs)
    expected_ns = int(warm_up_by_hand(call))
    with tempfile.TemporaryDirectory() as folder:
        _generate(mlperf_loadgen, call, _settings(mlperf_loadgen, expected_ns, duration_ns), folder)
        print(json.dumps(read_summary(Path(folder, _SUMMARY).read_text(encoding="utf-8"))))


def read_summary(text: str) -> dict[str, float]:
    """Nanoseconds."""
    return {
        name: float(re.findall(rf"^{percentile} percentile latency \(ns\) +: (\d+)", text, re.M)[0])
        for name, percentile in _PERCENTILES.items()
    }


def _settings(loadgen: Any, expected_ns: int, duration_ns: str) -> Any:
    settings = loadgen.TestSettings()
    settings.scenario = loadgen.TestScenario.SingleStream
    settings.mode = loadgen.TestMode.PerformanceOnly
    settings.single_stream_expected_latency_ns = expected_ns
    settings.min_duration_ms = int(duration_ns) // 1_000_000
    settings.min_query_count = _FEWEST
    return settings


def _generate(loadgen: Any, call: Call, settings: Any, folder: str) -> None:
    def issue(samples: list[Any]) -> None:
        call()
        answers = [loadgen.QuerySampleResponse(sample.id, 0, 0) for sample in samples]
        loadgen.QuerySamplesComplete(answers)

    def nothing(*_: Any) -> None:
        pass

    output = loadgen.LogOutputSettings()
    output.outdir = folder
    output.copy_summary_to_stdout = False
    logs = loadgen.LogSettings()
    logs.log_output = output
    logs.enable_trace = False
    system = loadgen.ConstructSUT(issue, nothing)
    library = loadgen.ConstructQSL(1, 1, nothing, nothing)
    loadgen.StartTestWithLogSettings(system, library, settings, logs)
    loadgen.DestroyQSL(library)
    loadgen.DestroySUT(system)


if __name__ == "__main__":
    main(*sys.argv[1:])
