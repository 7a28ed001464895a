"""What quantization-aware training costs ResNet-20 in accuracy, on CIFAR-10's 5,000 test images.

The float baseline was fine-tuned for eight epochs. Training with int8 goes on from it, for a few
epochs at a low learning rate; a float model trained on for as long, by the same loop and with the
same data, stands beside it, since a fair loss is counted from the same training. Each file's
answers come from its own runtime; intervals are of paired answers.

    python benchmarks/qat_accuracy.py

The fine-tuned weights are kept in TRIMTAB_HOME. Needs ``../shared/data`` or TRIMTAB_TEST_DATA;
takes about ten minutes on two processors.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from benchkit.resnet20 import BATCH, fine_tuned, images
from benchkit.tables import print_heading, print_table, say
from benchkit.tasks import resnet20_weights
from torch import Tensor, nn
from trimtab.compress.training import TrainingSettings, task_loss, train
from trimtab.export import build_variants, load_exporter
from trimtab.measure.accuracy import paired_drop_interval
from trimtab.project import PassStep, VariantPlan
from trimtab.records import Variant
from trimtab.task import Task

EPOCHS = 2
LEARNING_RATE = 1e-4
FORMATS = ("onnx", "tflite")
DEMANDS = {"onnx": 0.31, "tflite": 0.33}
LOSS_DEMAND_POINTS = 0.3
COLUMNS = (
    "variant",
    "format",
    "bytes",
    "of float",
    "accuracy",
    "lost, points",
    "lost against float trained on, points",
)
_SETTINGS = {"epochs": EPOCHS, "learning_rate": LEARNING_RATE}
_PLANS = (
    VariantPlan("qat", FORMATS, (PassStep("qat", _SETTINGS),)),
    VariantPlan("qat, distilled", FORMATS, (PassStep("qat", {**_SETTINGS, "distill": True}),)),
)
Correct = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Answers:
    name: str
    format: str
    size_bytes: int | None
    correct: Correct


def main() -> None:
    model = fine_tuned(resnet20_weights())
    task = _task(model)
    trained_on = _trained_on(model, task)
    with tempfile.TemporaryDirectory() as folder:
        variants = build_variants(task, _PLANS, Path(folder), progress=say)
        answers = [_answers(variant, task) for variant in variants]
    for variant in variants:
        say(f"{variant.name}, {variant.format}: {'; '.join(variant.lineage)}")
    print_heading("Quantization-aware training of ResNet-20")
    print_table(COLUMNS, _rows(answers, trained_on))


def _task(model: nn.Module) -> Task:
    pictures, labels = images("test")
    functions = {
        "model": lambda: model,
        "example_inputs": lambda: pictures[:1].clone(),
        "train_data": _batches,
        "eval_data": lambda: [(pictures, labels)],
    }
    return Task(Path(__file__), functions, seed=0)


def _batches() -> Iterator[tuple[Tensor, Tensor]]:
    """In random order, each picture mirrored or not."""
    pictures, labels = images("train")
    for chosen in torch.split(torch.randperm(len(pictures)), BATCH):
        mirrored = torch.rand(len(chosen), 1, 1, 1) < 0.5
        yield torch.where(mirrored, pictures[chosen].flip(3), pictures[chosen]), labels[chosen]


def _trained_on(model: nn.Module, task: Task) -> Correct:
    """The float model's answers after as much more training as int8 has."""
    longer = copy.deepcopy(model).train()
    settings = TrainingSettings(EPOCHS, LEARNING_RATE, progress=say)
    say(f"float trained on: {train(longer, task, settings, task_loss(task))}")
    longer.eval()
    pictures, labels = images("test")
    with torch.inference_mode():
        outputs = torch.cat([longer(batch) for batch in torch.split(pictures, 500)])
    return np.asarray(outputs.argmax(1).numpy() == labels.numpy())


def _answers(variant: Variant, task: Task) -> Answers:
    if variant.artifact is None:
        raise SystemExit(f"{variant.name}, {variant.format}: {variant.failure}")
    inputs, labels = task.evaluation
    (file,) = variant.artifact.files
    named = dict(zip(task.input_names, inputs, strict=True))
    (outputs,) = load_exporter(variant.format).run(file.path, named)
    correct = np.asarray(outputs.argmax(1) == labels)
    return Answers(variant.name, variant.format, file.digest.size_bytes, correct)


def _rows(answers: list[Answers], trained_on: Correct) -> list[list[str]]:
    floats = {each.format: each for each in answers if each.name == "float"}
    longer = Answers("float, trained on", "torch", None, trained_on)
    return [_row(each, floats.get(each.format), trained_on) for each in (*answers, longer)]


def _row(each: Answers, float_one: Answers | None, trained_on: Correct) -> list[str]:
    accuracy = f"{each.correct.mean():.2%}"
    if float_one is None or each is float_one:
        size = "" if each.size_bytes is None else str(each.size_bytes)
        return [each.name, each.format, size, "", accuracy, "", ""]
    share = (each.size_bytes or 0) / (float_one.size_bytes or 1)
    return [
        each.name,
        each.format,
        str(each.size_bytes),
        f"{share:.3f} (demand: under {DEMANDS[each.format]})",
        accuracy,
        f"{_lost(float_one.correct, each.correct)} (demand: at most {LOSS_DEMAND_POINTS})",
        _lost(trained_on, each.correct),
    ]


def _lost(reference: Correct, variant: Correct) -> str:
    low, high = paired_drop_interval(reference, variant)
    lost = float(reference.mean() - variant.mean())
    return f"{100 * lost:+.2f} [{100 * low:+.2f}, {100 * high:+.2f}]"


if __name__ == "__main__":
    main()
