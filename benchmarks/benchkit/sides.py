"""One fresh process of each side: the agent's worker, the bare loop, the rivals."""

from __future__ import annotations

import asyncio
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from trimtab_agent.watch import Watch
from trimtab_agent.worker.messages import WorkerTask
from trimtab_agent.worker.process import run_worker

from benchkit.latencies import Latency, latency_of
from benchkit.subjects import Subject

DURATION_NS = int(float(os.environ.get("TRIMTAB_BENCH_SECONDS", "0.5")) * 1e9)
_FOLDER = Path(__file__).resolve().parents[1]
_TIMEOUT_NS = 60_000_000_000
_WARM_UP_NS = 250_000_000  # the pilot's 50 ms come on top
_WARM_UP_COUNT = 5


def by_worker(subject: Subject) -> Latency:
    """As a job takes it: the agent's worker in a fresh process, watched by the agent."""
    return asyncio.run(_by_worker(subject))


def by_bare_loop(subject: Subject) -> Latency:
    return child("bare_loop", subject, str(DURATION_NS))


def by_loadgen(subject: Subject) -> dict[str, Any]:
    """``p50`` and ``p90`` in nanoseconds, or ``unavailable``: the reason."""
    return child("loadgen_loop", subject, str(DURATION_NS))


def by_litert_benchmark(subject: Subject, expected_ns: float) -> dict[str, Any]:
    """LiteRT's own tool; it rounds its figures to 10 µs. ``unavailable``: why there is none."""
    if subject.runtime != "litert":
        return {"unavailable": "runs .tflite alone"}
    counts = (_WARM_UP_NS / expected_ns, DURATION_NS / expected_ns)
    warm_up, runs = (str(max(math.ceil(count), 20)) for count in counts)
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "result.json")
        command = [str(Path(sys.executable).with_name("litert-benchmark"))]
        command += ["--model", str(subject.model), "--use_cpu", "--num_threads", "1"]
        command += ["--num_runs", runs, "--warmup_runs", warm_up, "--result_json", str(result)]
        try:
            subprocess.run(command, check=True, capture_output=True, start_new_session=True)
        except (OSError, subprocess.CalledProcessError) as error:
            return {"unavailable": f"litert-benchmark: {error}"}
        latency = json.loads(result.read_text(encoding="utf-8"))["latency"]
    return {"p50": latency["median_ms"] * 1e6}


def child(module: str, subject: Subject, *arguments: str) -> dict[str, Any]:
    """A module of this package in a process of its own: the last line it prints, a JSON object.

    It leads a session of its own, as the agent's workers do: some kernels share out by session.
    """
    command = [sys.executable, "-m", f"benchkit.{module}", subject.runtime]
    command += [str(subject.model), str(subject.inputs), *arguments]
    run = subprocess.run(
        command, cwd=_FOLDER, capture_output=True, text=True, check=False, start_new_session=True
    )
    if run.returncode != 0:
        raise SystemExit(f"{module} failed on {subject.name}: {run.stderr}")
    answer: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return answer


async def _by_worker(subject: Subject) -> Latency:
    origin = time.perf_counter_ns()
    watch = Watch(Path("/"), origin, (), 1)
    samples: list[int] = []

    def hear(message: dict[str, Any]) -> None:
        watch.hear(message)
        if message["kind"] == "samples":
            samples.extend(message["latency_ns"])

    with tempfile.TemporaryDirectory() as scratch:
        async with watch.watching():
            failure = await run_worker(
                _task(subject, origin), Path(scratch), _TIMEOUT_NS, hear, watch.worker_started
            )
    if failure is not None:
        raise SystemExit(f"{subject.name}: {failure.message}")
    return latency_of(samples)


def _task(subject: Subject, origin: int) -> WorkerTask:
    return WorkerTask(
        mode="repeat",
        runtime=subject.runtime,
        model_path=str(subject.model),
        inputs_path=str(subject.inputs),
        clock_origin_ns=origin,
        min_duration_ns=DURATION_NS,
        max_duration_ns=10 * DURATION_NS,
        min_sample_count=1,
        warmup_duration_ns=_WARM_UP_NS,
        min_warmup_count=_WARM_UP_COUNT,
    )
