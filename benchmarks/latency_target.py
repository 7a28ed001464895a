"""How near a pipeline comes to a latency that it is asked for, on the local device.

MobileNetV3-Small is pruned, by `prune` in multiples of 8, until the agent measures shares of the
float model's p50 on one thread. The file that comes out is then measured anew, by an agent that
has not seen it, beside the float model: what counts is that latency over the one asked for.

    python benchmarks/latency_target.py

Weights and rows that were made are kept in TRIMTAB_HOME. Needs ``../shared/data`` or
TRIMTAB_TEST_DATA, and a quiet machine. Exits with 1 where one is not within 5 %.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from benchkit.compression.networks import MOBILENET
from benchkit.compression.scores import right_answers
from benchkit.rows import Row, Rows
from benchkit.tables import print_heading, print_table, say
from benchkit.tasks import threads, weights_folder
from trimtab.campaign.target_device import devices_of
from trimtab.compress.device import TargetDevice
from trimtab.export import build_variants
from trimtab.project import MeasureSettings, PassStep, Target, VariantPlan
from trimtab.task import Task

SHARES = (0.8, 0.6, 0.4)
NEAR = 0.05
COLUMNS = (
    *("of the float model's", "asked, ms", "measured, ms"),
    *("of what was asked", "accuracy", "within 5 %"),
)
_METRIC, _FORMAT, _DEVICE = "latency_p50_ms", "onnx", "local"
_PRUNED = PassStep(
    "prune",
    {"structure": "channel", "round_to": 8, "distill": 0.7, "epochs": 2, "learning_rate": 0.02}
    | {"optimizer": "sgd", "weight_decay": 5e-4},
)


def main() -> int:
    torch.set_num_threads(threads())
    rows = Rows(weights_folder() / "latency.jsonl")
    found = [rows.once({"share": share}, partial(_reached, share)) for share in SHARES]
    print_heading("Pipelines asked for a latency")
    print_table(COLUMNS, [_cells(each) for each in found])
    return 0 if all(_is_near(each) for each in found) else 1


def _reached(share: float) -> Row:
    task = MOBILENET.task()
    folder = weights_folder() / "latency" / f"{share:g}"
    measure = MeasureSettings()
    whole = VariantPlan("whole", (_FORMAT,), ())
    made = _variants(task, [whole], folder)
    asked = share * _latency(_device(task, measure), made["float"])
    target = Target(_METRIC, asked, (0,), 1.0, on=_DEVICE, points=0)
    plan = VariantPlan("asked", (_FORMAT,), (_PRUNED,), target=target)
    devices: Callable[[str], TargetDevice] = devices_of(task, measure, (_DEVICE,), say)
    file = _variants(task, [plan], folder, devices)["asked"]
    right = right_answers(file, _FORMAT, task)
    anew = _latency(_device(task, measure), file)
    return {"asked": asked, "anew": anew, "accuracy": 100 * float(right.mean())}


def _variants(
    task: Task,
    plans: list[VariantPlan],
    folder: Path,
    devices: Callable[[str], TargetDevice] | None = None,
) -> dict[str, Path]:
    found = {}
    for each in build_variants(task, plans, folder, say, devices=devices):
        if each.artifact is None:
            raise SystemExit(f"{each.name}: {each.failure and each.failure.message}")
        found[each.name] = each.artifact.files[0].path
    return found


def _device(task: Task, measure: MeasureSettings) -> TargetDevice:
    return devices_of(task, measure, (_DEVICE,), say)(_DEVICE)


def _latency(device: TargetDevice, file: Path) -> float:
    return device.figure(file, _FORMAT, _METRIC)


def _is_near(row: Row) -> bool:
    return bool(abs(row["anew"] / row["asked"] - 1) <= NEAR)


def _cells(row: Row) -> list[str]:
    return [
        f"{row['share']:g}",
        f"{row['asked']:.4f}",
        f"{row['anew']:.4f}",
        f"{row['anew'] / row['asked']:.3f}",
        f"{row['accuracy']:.2f} %",
        "yes" if _is_near(row) else "NO",
    ]


if __name__ == "__main__":
    sys.exit(main())
