"""The profile pass: a process of its own, because telling operators' times costs the latency."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from trimtab_agent.measure import warm_up
from trimtab_agent.runtimes.base import Session
from trimtab_agent.runtimes.operators import OperatorProfile, middle_half, places_of
from trimtab_agent.worker.channel import Channel
from trimtab_agent.worker.loading import import_runtime, load_session, prepare_inputs
from trimtab_agent.worker.messages import WorkerTask

SCHEMA = "trimtab.profile/1"
_WARMUP_COUNT = 5
_WARMUP_NS = 100_000_000
_MIN_COUNT = 12
_MAX_COUNT = 100  # ONNX Runtime writes near 1 kB an operator
_DURATION_NS = 1_000_000_000


def profile_operators(task: WorkerTask, channel: Channel) -> None:
    """What a profile is a mean of: see :func:`middle_half`."""
    channel.send("phase", phase="profile")
    runtime, _ = import_runtime(task)
    session, _ = load_session(runtime, task)
    session.bind(prepare_inputs(session, task))
    warm_up(session.run, time.perf_counter_ns, _WARMUP_COUNT, _WARMUP_NS)
    latencies = _time_runs(session)
    profile = session.profile(len(latencies), middle_half(latencies))
    session.close()
    _write(Path(task.outputs_path), profile, latencies)
    places = places_of(profile.measured or profile.operators)
    channel.send("profiled", places=places, arena_bytes=profile.arena_bytes)


def _time_runs(session: Session) -> list[int]:
    latencies: list[int] = []
    begin = time.perf_counter_ns()
    while len(latencies) < _MAX_COUNT:
        start = time.perf_counter_ns()
        session.run()
        end = time.perf_counter_ns()
        latencies.append(end - start)
        if len(latencies) >= _MIN_COUNT and end - begin >= _DURATION_NS:
            break
    return latencies


def _write(path: Path, profile: OperatorProfile, latencies: Sequence[int]) -> None:
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "inference_count": len(latencies),
        "p50_ns": median(latencies) if profile.p50_ns is None else profile.p50_ns,
        "operators": [asdict(operator) for operator in profile.operators],
        "times_unavailable": profile.times_unavailable,
        "source": profile.source,
    }
    temporary = path.with_name(path.name + ".part")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(document, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
