"""What the harness itself costs: the null runtime's median, at most 0.5 µs on an idle machine.

python benchmarks/null_runtime.py
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from statistics import median

from benchkit.tables import print_heading, print_table
from trimtab_agent.doctor.harness import NULL_BOUND_NS, null_median_ns

_PROCESSES = 5


def main() -> int:
    medians = [_null_median() for _ in range(_PROCESSES)]
    middle = median(medians)
    off = middle > NULL_BOUND_NS
    print_heading("The null runtime")
    print_table(
        ("null runtime", "median", "lowest", "highest", "bound", "verdict"),
        [
            (
                f"p50 of {_PROCESSES} processes",
                *(f"{value:.0f} ns" for value in (middle, min(medians), max(medians))),
                f"{NULL_BOUND_NS} ns",
                "OFF" if off else "within",
            )
        ],
    )
    return int(off)


def _null_median() -> float:
    with tempfile.TemporaryDirectory() as scratch:
        found = asyncio.run(null_median_ns(Path(scratch)))
    if isinstance(found, str):
        raise SystemExit(f"the null runtime failed: {found}")
    return found


if __name__ == "__main__":
    raise SystemExit(main())
