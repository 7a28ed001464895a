"""How much faster one file is than another: the agent's own comparison, one thread, in turns."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchkit.tables import say


@dataclass(frozen=True)
class Speedup:
    """``value``: the first file's time over the second's, with a 95 % interval."""

    value: float | None
    low: float | None
    high: float | None
    problem: str = ""  # why there is no value, or none to rely on


def speedup(before: Path, after: Path) -> Speedup:
    command = [
        *(sys.executable, "-m", "trimtab", "bench", str(before), str(after)),
        *("--compare", "--threads", "1", "--format", "json"),
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    try:
        found = json.loads(done.stdout)["comparisons"][0]
    except (ValueError, KeyError, IndexError):
        return Speedup(None, None, None, f"trimtab bench --compare ended with {done.returncode}")
    say(found["sentence"])
    low, high = found["ci95"] or (None, None)
    problem = "" if found["valid"] else "invalid: see the sentence"
    return Speedup(found["ratio"], low, high, problem)
