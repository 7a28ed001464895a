"""The rivals beside it, without a bound: litert-benchmark's p50, and the load generator's p90.

Five rounds (TRIMTAB_BENCH_ROUNDS) in which all sides take their turn in a fresh process each; the
next round goes the other way round. The figures are medians over the rounds, the ratios those of
the medians. Models and resuming as in harness_overhead.py.

    TRIMTAB_BENCH_FILE=rows.jsonl python benchmarks/rivals.py
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchkit.rows import Row, Rows
from benchkit.sides import (
    DURATION_NS,
    by_bare_loop,
    by_litert_benchmark,
    by_loadgen,
    by_worker,
)
from benchkit.subjects import Subject, find_subjects
from benchkit.tables import print_heading, print_table, say, time_text

ROUNDS = int(os.environ.get("TRIMTAB_BENCH_ROUNDS", "5"))
_TOOL_ROUNDING_NS = 5_000  # half of its last digit
_P50_COLUMNS = ("model", "p50 bare loop", "trimtab", "over bare", "litert-benchmark", "over bare")
_P90_COLUMNS = ("model", "p90 bare loop", "trimtab", "over bare", "loadgen", "over bare")


def main() -> int:
    rows = Rows.of_environment()
    with tempfile.TemporaryDirectory() as folder:
        subjects, _ = find_subjects(Path(folder))
        rounds = [[_round(rows, each, index) for each in subjects] for index in range(ROUNDS)]
    taken = dict(zip((each.name for each in subjects), zip(*rounds, strict=True), strict=True))
    print_heading(f"The rivals: medians of {ROUNDS} rounds")
    print_table(_P50_COLUMNS, [(name, *_p50_cells(each)) for name, each in taken.items()])
    print_table(_P90_COLUMNS, [(name, *_p90_cells(each)) for name, each in taken.items()])
    return 0


def _round(rows: Rows, subject: Subject, index: int) -> Row:
    key = {"benchmark": "rivals", "model": subject.name, "ns": DURATION_NS, "index": index}

    def measure() -> Row:
        say(f"{subject.name}: round {index + 1} of {ROUNDS}")
        sides: dict[str, Callable[[], dict[str, Any]]] = {
            "bare": lambda: by_bare_loop(subject),
            "ours": lambda: by_worker(subject),
            "loadgen": lambda: by_loadgen(subject),
            "tool": lambda: by_litert_benchmark(subject, _expected_ns(rows, subject)),
        }
        order = sides if index % 2 == 0 else reversed(sides)
        return {name: sides[name]() for name in order}

    return rows.once(key, measure)


def _expected_ns(rows: Rows, subject: Subject) -> float:
    """About what a run takes: litert-benchmark wants counts and no durations."""
    key = {"benchmark": "expected", "model": subject.name}
    return float(rows.once(key, lambda: by_bare_loop(subject))["p50"])


def _p50_cells(rounds: Sequence[Row]) -> list[str]:
    bare, ours = _median(rounds, "bare", "p50"), _median(rounds, "ours", "p50")
    cells = [time_text(bare), time_text(ours), f"{ours / bare:.3f}"]
    reason = _unavailable(rounds, "tool")
    if reason is not None:
        return [*cells, reason, ""]
    tool = _median(rounds, "tool", "p50")
    low, high = (max(tool + step, 0) / bare for step in (-_TOOL_ROUNDING_NS, _TOOL_ROUNDING_NS))
    return [*cells, f"{tool / 1e6:.2f} ms", f"{low:.3f} to {high:.3f} (it rounds)"]


def _p90_cells(rounds: Sequence[Row]) -> list[str]:
    bare, ours = _median(rounds, "bare", "p90"), _median(rounds, "ours", "p90")
    cells = [time_text(bare), time_text(ours), f"{ours / bare:.3f}"]
    reason = _unavailable(rounds, "loadgen")
    if reason is not None:
        return [*cells, reason, ""]
    loadgen = _median(rounds, "loadgen", "p90")
    return [*cells, time_text(loadgen), f"{loadgen / bare:.3f}"]


def _median(rounds: Sequence[Row], side: str, figure: str) -> float:
    return median([float(row[side][figure]) for row in rounds])


def _unavailable(rounds: Sequence[Row], side: str) -> str | None:
    reasons = [row[side]["unavailable"] for row in rounds if "unavailable" in row[side]]
    return f"unavailable: {reasons[0]}" if reasons else None


if __name__ == "__main__":
    raise SystemExit(main())
