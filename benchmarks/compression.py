"""Pruning, factorization, distillation and pipelines on three networks, and what each demands.

    python benchmarks/compression.py [ROW ...]        # all rows that are not there yet, then tables
    python benchmarks/compression.py --tables         # of what is there

A row's choices are made on a split of the training data; the test data are read once a file. Losses
are counted from the float model that had the same further training, speeds are the agent's
(``trimtab bench --compare``, one thread, in turns with float). Figures, weights and files are kept
in TRIMTAB_HOME, else in ~/.trimtab: a row that was broken off goes on, also inside a training.
Needs ``../shared/data`` or TRIMTAB_TEST_DATA. Exits with 1 where a demand is not kept.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import torch
from benchkit.compression.curve import COLUMNS as CURVE
from benchkit.compression.curve import dominations
from benchkit.compression.measured import measure_row, measure_speeds
from benchkit.compression.plans import ROWS, Row
from benchkit.compression.report import COLUMNS, table
from benchkit.rows import Row as KeptRow
from benchkit.rows import Rows, read_rows
from benchkit.tables import print_heading, print_table
from benchkit.tasks import threads, weights_folder


def main(arguments: Sequence[str]) -> int:
    torch.set_num_threads(threads())
    file = weights_folder() / "compression.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    names = [each for each in arguments if not each.startswith("-")]
    wanted = [row for row in ROWS if not names or row.name in names]
    if "--tables" not in arguments:
        rows = Rows(file)
        for row in wanted:
            measure_row(row, rows)
            measure_speeds(row, rows)
    kept = read_rows(file)
    return 1 if sum([_print(row, kept) for row in wanted]) else 0


def _print(row: Row, kept: Sequence[KeptRow]) -> int:
    """How many variants do not keep what is demanded."""
    found = list(table(row, kept))
    print_heading(row.name)
    print_table(COLUMNS, [cells for cells, _ in found])
    broken = [problem for _, problem in found if problem]
    if row.curve:
        lines = list(dominations(row, kept))
        print_table(CURVE, lines)
        broken += [f"nothing dominates {line[0]}" for line in lines if "NO" in line]
    for problem in broken:
        print(f"NOT KEPT: {problem}\n")
    return len(broken)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
