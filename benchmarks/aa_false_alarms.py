"""How often an artifact compared with itself is called faster or slower (it must be at most 5 %).

Each comparison is ``trimtab bench MODEL MODEL --compare``, interleaved, by the local agent. Every
outcome is appended to a JSON lines file: a run that was broken off goes on where it stopped.

    TRIMTAB_AA_COUNT=200 TRIMTAB_AA_FILE=aa.jsonl python benchmarks/aa_false_alarms.py

Also TRIMTAB_AA_MODEL (a file; else mnist.onnx of ../shared/data or TRIMTAB_TEST_DATA) and
TRIMTAB_AA_REPEATS.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchkit.rows import Row, append_row, read_rows
from benchkit.subjects import models_folder

COUNT = int(os.environ.get("TRIMTAB_AA_COUNT", "20"))
OUTCOMES = Path(os.environ.get("TRIMTAB_AA_FILE", "aa_false_alarms.jsonl"))
REPEATS = os.environ.get("TRIMTAB_AA_REPEATS", "")


def main() -> int:
    model = _model()
    key = {"model": model.name, "repeats": REPEATS or "default"}
    while len(done := _done(key)) < COUNT:
        outcome = {**key, **_compare(model)}
        append_row(OUTCOMES, outcome)
        print(f"{len(done) + 1} of {COUNT}: {outcome['sentence']}", file=sys.stderr)
    _print_table(done)
    return 0


def _compare(model: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "trimtab", "bench", str(model), str(model)]
    command += ["--compare", "--format", "json"]
    command += ["--repeats", REPEATS] if REPEATS else []
    began = time.monotonic()
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise SystemExit(f"the comparison failed: {run.stderr}")
    (found,) = json.loads(run.stdout)["comparisons"]
    names = ("verdict", "valid", "ratio", "ci95", "resolution", "sentence")
    checks = found["arms"][0]["checks"]
    load = next((each for each in checks if each["name"] == "FOREIGN_LOAD"), None)
    return {
        **{name: found[name] for name in names},
        "foreign_load": load["outcome"] if load else "not checked",
        "seconds": round(time.monotonic() - began, 2),
    }


def _done(key: dict[str, str]) -> list[Row]:
    """This model's outcomes so far."""
    rows = read_rows(OUTCOMES)
    return [row for row in rows if all(row.get(name) == value for name, value in key.items())]


def _print_table(outcomes: list[Row]) -> None:
    print(f"{'foreign load':14} {'comparisons':>11} {'alarms':>7} {'rate':>7} {'resolution':>11} s")
    for load, count in sorted(Counter(each["foreign_load"] for each in outcomes).items()):
        group = [each for each in outcomes if each["foreign_load"] == load]
        alarms = sum(each["verdict"] in ("faster", "slower") for each in group)
        resolutions = sorted(each["resolution"] or 0.0 for each in group)
        slowest = max(each["seconds"] for each in group)
        print(
            f"{load:14} {count:11} {alarms:7} {alarms / count:7.1%}"
            f" {resolutions[len(group) // 2]:11.2%} {slowest}"
        )


def _model() -> Path:
    model = Path(os.environ.get("TRIMTAB_AA_MODEL") or models_folder() / "mnist.onnx")
    if not model.is_file():
        raise SystemExit(f"{model}: no such file (set TRIMTAB_AA_MODEL)")
    return model


if __name__ == "__main__":
    raise SystemExit(main())
