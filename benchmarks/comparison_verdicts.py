"""How often ``trimtab bench A B --compare`` is right: alarms without cause, slow-downs found.

Three cases, each by the local agent as a user runs it:

- quiet: a model against itself, policy quick; "faster" or "slower" is a false alarm
- busy: the same while another process keeps one processor busy
- slowed: a model of about 1 ms against itself with 3 % of busy-wait added, policy normal

    python benchmarks/comparison_verdicts.py quiet=200 busy=200 slowed=40

Every outcome is appended to a JSON lines file (TRIMTAB_VERDICTS, else comparison_verdicts.jsonl):
what was broken off goes on where it stopped. Needs the models of ``../shared/data`` or of
TRIMTAB_TEST_DATA.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchkit.rows import Row, append_row, read_rows
from benchkit.subjects import models_folder

OUTCOMES = Path(os.environ.get("TRIMTAB_VERDICTS", "comparison_verdicts.jsonl"))
SLOW_DOWN = 0.03
MODEL = "mobilenet_v1_025_224_fp32.tflite"
_SLOWED = Path(__file__).resolve().parent / "slowed"
# It ends with its parent, however that ends.
_SPIN = "import os; parent = os.getppid()\nwhile os.getppid() == parent: pass"


@dataclass(frozen=True)
class Case:
    """``right``: the verdicts on the first file that are right."""

    title: str
    policy: str
    right: tuple[str, ...]
    demand: str
    busy: bool = False
    slowed: bool = False


CASES = {
    "quiet": Case("itself", "quick", ("no difference seen",), "at least 95 %"),
    "busy": Case("itself, one core busy", "quick", ("no difference seen",), "at least 95 %", True),
    "slowed": Case("3 % slower", "normal", ("faster",), "at least 36 of 40", slowed=True),
}


def main(arguments: list[str]) -> int:
    wanted = [argument.partition("=") for argument in arguments] or [("quiet", "=", "20")]
    model = _model()
    environment = dict(os.environ)
    with tempfile.TemporaryDirectory() as folder:
        for name, _, count in wanted:
            case = CASES[name]
            if case.slowed:
                environment = _with_slowed_runtime(Path(folder), model)
            _complete(name, int(count), model, environment)
    _print_table()
    return 0


def _complete(name: str, count: int, model: Path, environment: Mapping[str, str]) -> None:
    with _busy_processor(CASES[name].busy):
        while (done := len(_outcomes(name))) < count:
            outcome = {"case": name, "model": model.name, **_compare(name, model, environment)}
            append_row(OUTCOMES, outcome)
            print(f"{name} {done + 1} of {count}: {outcome['sentence']}", file=sys.stderr)


def _compare(name: str, model: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    case = CASES[name]
    command = [sys.executable, "-m", "trimtab", "bench", str(model)]
    command += ["--runtime", "litert", "--runtime", "slowed"] if case.slowed else [str(model)]
    command += ["--compare", "--policy", case.policy, "--format", "json"]
    began = time.monotonic()
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise SystemExit(f"the comparison failed: {run.stderr}")
    (found,) = json.loads(run.stdout)["comparisons"]
    checks = found["arms"][0]["checks"]
    load = next(check for check in checks if check["name"] == "FOREIGN_LOAD")
    names = ("verdict", "valid", "ratio", "ci95", "resolution", "per_repeat", "sentence")
    return {
        **{each: found[each] for each in names},
        "load_outcome": load["outcome"],
        "load_seen": load["seen"],
        "seconds": round(time.monotonic() - began, 2),
    }


@contextmanager
def _busy_processor(busy: bool) -> Iterator[None]:
    spinning = subprocess.Popen([sys.executable, "-c", _SPIN]) if busy else None
    try:
        yield
    finally:
        if spinning is not None:
            spinning.kill()
            spinning.wait()


def _with_slowed_runtime(folder: Path, model: Path) -> dict[str, str]:
    """The environment in which the runtime ``slowed`` is registered, as any third party's is."""
    info = folder / "slowed-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: slowed\nVersion: 0\n")
    registered = "[trimtab.runtimes]\nslowed = slowed_runtime:SlowedRuntime\n"
    (info / "entry_points.txt").write_text(registered)
    paths = [str(folder), str(_SLOWED), os.environ.get("PYTHONPATH", "")]
    wait_ns = round(SLOW_DOWN * _p50_ns(model))
    print(f"busy-wait of {wait_ns} ns", file=sys.stderr)
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "TRIMTAB_SLOWED_NS": str(wait_ns),
    }


def _p50_ns(model: Path) -> float:
    command = [sys.executable, "-m", "trimtab", "bench", str(model), "--format", "json"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    (result,) = json.loads(run.stdout)["results"]
    return float(result["metrics"]["latency_p50_ms"]["value"]) * 1e6


def _outcomes(name: str) -> list[Row]:
    return [outcome for outcome in read_rows(OUTCOMES) if outcome.get("case") == name]


def _print_table() -> None:
    head = "against,policy,comparisons,faster,slower,no difference,right,demanded,"
    head += "resolution (median),foreign load named,seconds (longest)"
    print("| " + " | ".join(head.split(",")) + " |")
    print("|---" * len(head.split(",")) + "|")
    for name, case in CASES.items():
        outcomes = _outcomes(name)
        if outcomes:
            print(_row(case, outcomes))


def _row(case: Case, outcomes: list[Row]) -> str:
    count = len(outcomes)
    said = [outcome["verdict"] for outcome in outcomes]
    right = sum(verdict in case.right for verdict in said)
    resolution = statistics.median(outcome["resolution"] for outcome in outcomes)
    named = sum(outcome["load_outcome"] == "failed" for outcome in outcomes)
    cells = [case.title, case.policy, count, said.count("faster"), said.count("slower")]
    cells += [said.count("no difference seen"), f"{right / count:.1%}", case.demand]
    cells += [f"{resolution:.2%}", f"{named} of {count}"]
    cells += [f"{max(outcome['seconds'] for outcome in outcomes):.1f}"]
    return "| " + " | ".join(map(str, cells)) + " |"


def _model() -> Path:
    model = models_folder() / MODEL
    if not model.is_file():
        raise SystemExit(f"{model}: no such file")
    return model


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
