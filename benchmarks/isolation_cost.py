"""What a worker's isolation costs: p50 with it over p50 without it, in turns (A B B A ...).

For a small model of each runtime, fresh processes, the interval over pairs; and the milliseconds
that a worker which only says what the null runtime is takes longer.

    python benchmarks/isolation_cost.py

TRIMTAB_BENCH_PAIRS: how many (fixed beforehand), TRIMTAB_BENCH_MODELS: file names with commas.
Exits with 1 where an interval of a latency lies outside 1 % altogether.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

from benchkit.ratios import judge, ratio_of
from benchkit.sides import by_worker
from benchkit.subjects import Subject, find_subjects
from benchkit.tables import print_heading, print_table, say, time_text
from trimtab_agent.worker.isolation.state import SWITCH_OFF
from trimtab_agent.worker.messages import WorkerTask
from trimtab_agent.worker.process import run_worker

PAIRS = int(os.environ.get("TRIMTAB_BENCH_PAIRS", "14"))
_TIMEOUT_NS = 60_000_000_000


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        subjects, _ = find_subjects(Path(folder))
        rows, off = [], False
        for subject in subjects:
            say(f"{subject.name}: {PAIRS} pairs")
            pairs = [_pair(partial(_p50, subject), index) for index in range(PAIRS)]
            row, verdict_off = _row(subject.name, pairs)
            rows.append(row)
            off = off or verdict_off
        started = [_pair(lambda: _start_ns(Path(folder)), index) for index in range(PAIRS)]
    print_heading("p50 with isolation over p50 without")
    print_table(("model", "without", "with", "ratio [95 %]", "verdict"), rows)
    longer_ms = sorted((isolated - plain) / 1e6 for plain, isolated in started)
    say(f"a worker's start: {median(longer_ms):+.1f} ms (median of {PAIRS} pairs, "
        f"{longer_ms[0]:+.1f} to {longer_ms[-1]:+.1f})")  # fmt: skip
    return int(off)


def _pair(measure: Callable[[], float], index: int) -> tuple[float, float]:
    """Without, with; who goes first changes from pair to pair."""
    found: dict[bool, float] = {}
    for isolated in (False, True) if index % 2 == 0 else (True, False):
        os.environ.pop(SWITCH_OFF, None)
        if not isolated:
            os.environ[SWITCH_OFF] = "1"
        found[isolated] = measure()
    os.environ.pop(SWITCH_OFF, None)
    return found[False], found[True]


def _row(name: str, pairs: list[tuple[float, float]]) -> tuple[tuple[str, ...], bool]:
    plain, isolated = (median(side) for side in zip(*pairs, strict=True))
    ratio = ratio_of([after / before for before, after in pairs])
    verdict = judge(ratio)
    return (name, time_text(plain), time_text(isolated), str(ratio), verdict.text), verdict.off


def _p50(subject: Subject) -> float:
    return by_worker(subject)["p50"]


def _start_ns(scratch: Path) -> float:
    task = WorkerTask(mode="describe", runtime="null")
    begin = time.perf_counter_ns()
    failure = asyncio.run(run_worker(task, scratch, _TIMEOUT_NS, lambda _: None))
    if failure is not None:
        raise SystemExit(failure.message)
    return float(time.perf_counter_ns() - begin)


if __name__ == "__main__":
    raise SystemExit(main())
