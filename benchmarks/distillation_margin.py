"""What distillation adds to a ResNet-20 of half the work, on CIFAR-10's 5,000 test images.

The teacher is the float baseline. The student is what `prune` leaves of it, half of the
multiply-accumulates; it is trained twice for each of six seeds, by the same pass, schedule and
data: on labels alone, and with the teacher. How much the teacher counts is chosen on a tenth of
the training images, which no training sees; the test images are read once, by the students that
are reported.

    python benchmarks/distillation_margin.py

The float baseline's weights and the rows already made are kept in TRIMTAB_HOME, the rows in
the file that TRIMTAB_BENCH_FILE names, if any. Needs ``../shared/data`` or TRIMTAB_TEST_DATA.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchkit import cifar_split
from benchkit.compression.networks import RESNET20
from benchkit.paired_accuracy import Right, difference
from benchkit.rows import FILE_VARIABLE, Row, Rows
from benchkit.tables import print_heading, print_table, say
from benchkit.tasks import threads, weights_folder
from scipy import stats
from torch import nn
from trimtab.compress.passes import ModelContext
from trimtab.compress.pipeline import apply_to_model, recipe_of
from trimtab.project import PassStep
from trimtab.task import Task

SEEDS = tuple(range(6))
EPOCHS = int(os.environ.get("TRIMTAB_BENCH_EPOCHS", "8"))
CHOOSING_EPOCHS = min(3, EPOCHS)
WEIGHTS = (0.5, 0.9)
_CUT = {
    **{"structure": "channel", "macs": 0.5, "round_to": 8, "epochs": 0},
    "keep": ["conv1", "layer*.*.conv2"],
}
_TRAINING = {
    **{"optimizer": "sgd", "learning_rate": 0.03, "weight_decay": 5e-4},
    "precision": "bfloat16",
}
COLUMNS = ("seed", "labels alone", "distilled", "margin, points", "minutes")


def main() -> None:
    torch.set_num_threads(threads())
    teacher = RESNET20.trained()
    rows = Rows(Path(os.environ.get(FILE_VARIABLE) or weights_folder() / "distillation.jsonl"))
    chosen = max(WEIGHTS, key=lambda weight: _validation_accuracy(rows, teacher, weight))
    say(f"share of the teacher chosen on held-out training images: {chosen:g}")
    plain = [_row(rows, teacher, 0.0, seed) for seed in SEEDS]
    taught = [_row(rows, teacher, chosen, seed) for seed in SEEDS]
    for each in (plain[0], taught[0]):
        say(str(each["lineage"]))
    print_heading("Distillation into a ResNet-20 of half the work")
    own = _accuracy(_right(teacher, "test"))
    print(f"{EPOCHS} epochs; the teacher reads {own:.2f} %, its share of the loss is {chosen:g}\n")
    print_table(COLUMNS, _table(plain, taught))


def _validation_accuracy(rows: Rows, teacher: nn.Module, weight: float) -> float:
    key = {"what": "choice", "weight": weight, "epochs": CHOOSING_EPOCHS}
    measured = rows.once(key, lambda: _trained(teacher, weight, 0, CHOOSING_EPOCHS, "validation"))
    return _accuracy(_right_of(measured))


def _row(rows: Rows, teacher: nn.Module, weight: float, seed: int) -> Row:
    key = {"what": "margin", "weight": weight, "seed": seed, "epochs": EPOCHS}
    return rows.once(key, lambda: _trained(teacher, weight, seed, EPOCHS, "test"))


def _trained(teacher: nn.Module, weight: float, seed: int, epochs: int, judged: str) -> Row:
    taught = {**_TRAINING, "epochs": epochs, "weight": weight}
    steps = recipe_of([PassStep("prune", _CUT), PassStep("distill", taught)], "onnx").on_model
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        context = ModelContext(_task(teacher, seed), Path(folder), say)
        student, lineage = apply_to_model(steps, teacher, context)
    minutes = (time.monotonic() - started) / 60
    right = "".join("1" if each else "0" for each in _right(student, judged))
    return {"right": right, "minutes": minutes, "lineage": lineage[-1]}


def _task(teacher: nn.Module, seed: int) -> Task:
    functions: dict[str, Any] = {
        "model": lambda: teacher,
        "example_inputs": lambda: torch.zeros(1, 3, 32, 32),
        "train_data": cifar_split.train_data,
    }
    return Task(Path(__file__), functions, seed)


def _right(model: nn.Module, part: str) -> Right:
    batches = {"validation": cifar_split.validation_data, "test": cifar_split.test_data}[part]()
    with torch.inference_mode():
        right = [model(pictures).argmax(1) == labels for pictures, labels in batches]
    return torch.cat(right).numpy()


def _right_of(row: Row) -> Right:
    return np.array([each == "1" for each in row["right"]])


def _accuracy(right: Right) -> float:
    return 100 * float(right.mean())


def _table(plain: list[Row], taught: list[Row]) -> list[list[str]]:
    ours, theirs = [_right_of(each) for each in taught], [_right_of(each) for each in plain]
    cells = [
        [
            str(seed),
            f"{_accuracy(without):.2f} %",
            f"{_accuracy(with_it):.2f} %",
            str(difference([with_it], [without])),
            f"{first['minutes']:.1f} and {second['minutes']:.1f}",
        ]
        for seed, with_it, without, first, second in zip(
            SEEDS, ours, theirs, plain, taught, strict=True
        )
    ]
    means = [f"{_accuracy(np.concatenate(each)):.2f} %" for each in (theirs, ours)]
    paired = ["all, of paired answers", *means, str(difference(ours, theirs)), ""]
    over_seeds = ["all, over seeds", *means, _over_seeds(ours, theirs), ""]
    return [*cells, paired, over_seeds]


def _over_seeds(ours: list[Right], theirs: list[Right]) -> str:
    """Student's t over the seeds' differences, 95 %."""
    pairs = zip(ours, theirs, strict=True)
    margins = np.array([_accuracy(mine) - _accuracy(its) for mine, its in pairs])
    error = float(stats.sem(margins))
    low, high = stats.t.interval(0.95, len(margins) - 1, float(margins.mean()), error)
    return f"{margins.mean():+.2f} [{low:+.2f}, {high:+.2f}]"


if __name__ == "__main__":
    main()
