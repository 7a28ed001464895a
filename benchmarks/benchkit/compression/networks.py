"""The three float networks that compression starts from, each trained once by Trimtab's own loop.

Weights are kept in TRIMTAB_HOME, a training that was broken off goes on from its checkpoint.
Choices are made on a split of the training data; the test data are in ``eval_data`` alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from trimtab.compress.checkpoints import Checkpoint
from trimtab.compress.distillation import distilled
from trimtab.compress.training import Loss, TrainingSettings, task_loss, train
from trimtab.task import Task

from benchkit import cifar_split, sst2_split
from benchkit.mobilenet_v3 import MobileNetV3Small
from benchkit.resnet20 import pretrained
from benchkit.sst2_encoder import Encoder, Shape
from benchkit.tables import say
from benchkit.tasks import weights_folder

Functions = Mapping[str, Callable[..., Any]]


@dataclass(frozen=True)
class Network:
    """``begin``: the network before its training; ``loss`` None: the task's own."""

    name: str
    begin: Callable[[], nn.Module]
    data: Functions
    settings: TrainingSettings
    loss: Callable[[Task], Loss] = task_loss

    def task(self, seed: int = 0, **functions: Callable[..., Any]) -> Task:
        """Of the trained network; ``functions`` come over those of its data."""
        model = self.trained()
        return self._task(model, seed, functions)

    def trained(self) -> nn.Module:
        kept = weights_folder() / f"compression-{self.name}.pt"
        if not kept.is_file():
            self._train(kept)
        model = self.begin()
        model.load_state_dict(torch.load(kept, weights_only=True))
        return model.eval()

    def _train(self, kept: Path) -> None:
        say(f"training {self.name}, once")
        torch.manual_seed(0)
        model = self.begin().train()
        task = self._task(model, 0, {})
        say(f"{self.name}: {train(model, task, self._resumable(kept), self.loss(task))}")
        torch.save(model.state_dict(), kept)

    def _resumable(self, kept: Path) -> TrainingSettings:
        kept.parent.mkdir(parents=True, exist_ok=True)
        checkpoint = Checkpoint(kept.with_suffix(".training"))
        return replace(self.settings, progress=say, checkpoint=checkpoint)

    def _task(self, model: nn.Module, seed: int, functions: Functions) -> Task:
        return Task(
            Path(f"{self.name}.py"), {"model": lambda: model, **self.data, **functions}, seed
        )


def _from_resnet20(task: Task) -> Loss:
    """A small network has no weights to start from: it learns from the published ResNet-20 too."""
    return distilled(task_loss(task), pretrained(), weight=0.9, temperature=4.0)


_CIFAR: Functions = {
    "example_inputs": lambda: (torch.zeros(1, 3, 32, 32),),
    "train_data": cifar_split.train_data,
    "validation_data": cifar_split.validation_data,
    "calibration_data": cifar_split.calibration_data,
    "eval_data": cifar_split.test_data,
}
RESNET20 = Network(
    "resnet20",
    lambda: pretrained().train(),
    _CIFAR,
    TrainingSettings(8, 0.02, optimizer="sgd", weight_decay=5e-4, precision="bfloat16"),
)
MOBILENET = Network(
    "mobilenetv3",
    MobileNetV3Small,
    _CIFAR,
    TrainingSettings(30, 0.05, optimizer="sgd", weight_decay=5e-4),
    _from_resnet20,
)
ENCODER = Network(
    "encoder",
    lambda: Encoder(Shape(sst2_split.VOCABULARY, dropout=0.1)),
    {
        "example_inputs": sst2_split.example_inputs,
        "train_data": sst2_split.train_data,
        "validation_data": sst2_split.validation_data,
        "calibration_data": sst2_split.calibration_data,
        "eval_data": sst2_split.test_data,
    },
    TrainingSettings(6, 1e-3, optimizer="adamw", weight_decay=0.05, precision="bfloat16"),
)
NETWORKS = {each.name: each for each in (RESNET20, MOBILENET, ENCODER)}
