"""What reading every probe costs the p50 of a model of about 1 ms: less than 1 %.

One worker runs block after block; in every other one the agent reads what it reads around a repeat
(frequencies, temperatures, throttling, load) and every probe's sensors, at its own period. Once
with this machine's kernel files, once with a tree of more sensors than boards have. The interval is
over workers. The tree's files are plain ones: a real sensor on a slow bus takes longer to answer,
which the agent waits for without a processor.

    TRIMTAB_BENCH_FILE=rows.jsonl python benchmarks/probe_cost.py

Also TRIMTAB_BENCH_WORKERS, TRIMTAB_BENCH_PROBE_PAIRS (the counts, fixed beforehand) and
TRIMTAB_BENCH_PROBE_MODEL (a file). Exits with 1 where the interval lies above 1 % altogether.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean, median

from benchkit.ratios import Ratio, judge, ratio_of
from benchkit.rows import Row, Rows
from benchkit.sensor_tree import lay_sensor_tree
from benchkit.subjects import Refused, Subject, models_folder, prepare
from benchkit.tables import print_heading, print_table, say, time_text
from benchkit.watched_blocks import Turns, measure_cost, task_for
from trimtab_agent.probes.registry import discover
from trimtab_agent.watch import PERIOD_S

WORKERS = int(os.environ.get("TRIMTAB_BENCH_WORKERS", "5"))
PAIRS = int(os.environ.get("TRIMTAB_BENCH_PROBE_PAIRS", "12"))
_BLOCK_NS = 600_000_000  # three readings, the one at its begin among them
_COLUMNS = (
    "kernel files",
    "sensors",
    "model",
    "p50 alone",
    f"ratio with all probes read, {WORKERS} workers [95 %]",
    "agent's share of a processor",
    "verdict",
)


def main() -> int:
    rows = Rows.of_environment()
    with tempfile.TemporaryDirectory() as folder:
        scratch, tree = Path(folder), Path(folder, "tree")
        lay_sensor_tree(tree)
        subject = _subject(scratch)
        roots = {"this machine's": Path("/"), "a tree with many": tree}
        taken = {
            name: [_cost(rows, name, root, subject, index) for index in range(WORKERS)]
            for name, root in roots.items()
        }
        counts = {name: len(discover(root)) for name, root in roots.items()}
    print_heading(f"Every probe read each {PERIOD_S:g} s, and none, in turns")
    ratios = {name: ratio_of([row["ratio"] for row in each]) for name, each in taken.items()}
    lines = [_line(name, counts[name], subject, taken[name], ratios[name]) for name in roots]
    print_table(_COLUMNS, lines)
    return int(any(judge(ratio).off for ratio in ratios.values()))


def _cost(rows: Rows, name: str, root: Path, subject: Subject, index: int) -> Row:
    key = {"benchmark": "probes", "root": name, "model": subject.name}
    key |= {"pairs": str(PAIRS), "worker": str(index)}

    def measure() -> Row:
        say(f"{name} files: worker {index + 1} of {WORKERS}")
        with tempfile.TemporaryDirectory() as scratch:
            turns = Turns(root, PAIRS, _BLOCK_NS)
            return asdict(asyncio.run(measure_cost(task_for(subject), Path(scratch), turns)))

    return rows.once(key, measure)


def _line(
    name: str, sensors: int, subject: Subject, taken: Sequence[Row], ratio: Ratio | None
) -> list[str]:
    p50 = median([float(row["p50_ns"]) for row in taken])
    share = fmean([float(row["processor_share"]) for row in taken])
    cells = [name, str(sensors), subject.name, time_text(p50), str(ratio)]
    return [*cells, f"{share:.2%}", judge(ratio).text]


def _subject(scratch: Path) -> Subject:
    default = models_folder() / "mobilenet_v1_025_224_uint8.tflite"
    found = prepare(Path(os.environ.get("TRIMTAB_BENCH_PROBE_MODEL", default)), scratch)
    if isinstance(found, Refused):
        raise SystemExit(f"{found.model.name}: {found.reason} (set TRIMTAB_BENCH_PROBE_MODEL)")
    return found


if __name__ == "__main__":
    raise SystemExit(main())
