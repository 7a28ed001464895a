"""p50 by the agent's worker over p50 of a bare loop of the same runtime: within 1 %.

For every model of ``../shared/data/models`` (or of TRIMTAB_TEST_DATA) that a runtime loads, with
the same inputs, bound buffers, one thread, an equal warm-up and no garbage collector, twice over:

- fresh processes: the worker as a job runs it, and a process with nothing but the loop, in turns
  (A B B A ...). The interval is over pairs; what processes differ by limits it.
- one session: blocks of the bare loop and of the worker's own loop in turns over the same loaded
  model. The interval is over processes; it sees the harness alone, and far more finely.

    TRIMTAB_BENCH_FILE=rows.jsonl python benchmarks/harness_overhead.py

With that file it goes on where it was broken off. Also TRIMTAB_BENCH_PAIRS, _PROCESSES, _BLOCKS
(the counts, fixed beforehand), _SECONDS (of a process) and _MODELS (names with commas).
Exits with 1 where an interval lies outside 1 % altogether.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchkit.ratios import Verdict, judge, ratio_of
from benchkit.rows import Row, Rows
from benchkit.sides import DURATION_NS, by_bare_loop, by_worker, child
from benchkit.subjects import Refused, Subject, find_subjects
from benchkit.tables import print_heading, print_table, say, time_text

PAIRS = int(os.environ.get("TRIMTAB_BENCH_PAIRS", "14"))
PROCESSES = int(os.environ.get("TRIMTAB_BENCH_PROCESSES", "8"))
BLOCKS = int(os.environ.get("TRIMTAB_BENCH_BLOCKS", "20"))
_BLOCK_NS = 40_000_000
_COLUMNS = (
    "model",
    "runtime",
    "bare loop",
    "trimtab",
    f"ratio, {PAIRS} pairs of processes [95 %]",
    "verdict",
    f"ratio in one session, {PROCESSES} processes [95 %]",
    "verdict",
)


def main() -> int:
    rows = Rows.of_environment()
    with tempfile.TemporaryDirectory() as folder:
        subjects, refused = find_subjects(Path(folder))
        # Model by model in every round, so that each one's pairs are spread over the whole time.
        pairs = [[_pair(rows, each, index) for each in subjects] for index in range(PAIRS)]
        runs = [[_session(rows, each, index) for each in subjects] for index in range(PROCESSES)]
    print_heading("p50 over a bare loop of the same runtime")
    verdicts = _print(
        subjects, list(zip(*pairs, strict=True)), list(zip(*runs, strict=True)), refused
    )
    return int(any(verdict.off for verdict in verdicts))


def _pair(rows: Rows, subject: Subject, index: int) -> Row:
    key = {"benchmark": "processes", "model": subject.name, "ns": DURATION_NS, "index": index}

    def measure() -> Row:
        say(f"{subject.name}: pair {index + 1} of {PAIRS}")
        sides = {"bare": by_bare_loop, "ours": by_worker}
        order = sides if index % 2 == 0 else reversed(sides)
        return {name: sides[name](subject)["p50"] for name in order}

    return rows.once(key, measure)


def _session(rows: Rows, subject: Subject, index: int) -> Row:
    key = {"benchmark": "session", "model": subject.name, "blocks": BLOCKS, "index": index}

    def measure() -> Row:
        say(f"{subject.name}: process {index + 1} of {PROCESSES} with both loops")
        pairs = child("same_session", subject, str(BLOCKS), str(_BLOCK_NS))["pairs"]
        # The median: between two blocks a processor may change its speed, up as often as down.
        return {"ratio": median(ours / bare for bare, ours in pairs)}

    return rows.once(key, measure)


def _print(
    subjects: Sequence[Subject],
    pairs: Sequence[Sequence[Row]],
    runs: Sequence[Sequence[Row]],
    refused: Sequence[Refused],
) -> list[Verdict]:
    lines: list[Sequence[str]] = []
    verdicts: list[Verdict] = []
    for subject, taken, sessions in zip(subjects, pairs, runs, strict=True):
        processes = ratio_of([row["ours"] / row["bare"] for row in taken])
        session = ratio_of([row["ratio"] for row in sessions])
        judged = judge(processes), judge(session)
        verdicts.extend(judged)
        p50 = (time_text(median(row[side] for row in taken)) for side in ("bare", "ours"))
        cells = (subject.name, subject.runtime, *p50)
        lines.append((*cells, str(processes), judged[0].text, str(session), judged[1].text))
    print_table(_COLUMNS, lines)
    for each in refused:
        print(f"Not loadable: {each.model.name}: {each.reason}\n")
    return verdicts


if __name__ == "__main__":
    raise SystemExit(main())
