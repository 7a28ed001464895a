"""ResNet-20 (He et al. 2015, option A) and CIFAR-10's images, from the data for development."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

Split = Literal["train", "test"]
EPOCHS = 8
BATCH = 128
LEARNING_RATE = 0.02
_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32).reshape(1, 3, 1, 1)
_DEVIATION = np.array([0.229, 0.224, 0.225], dtype=np.float32).reshape(1, 3, 1, 1)
_WIDTHS = ((16, 16, 1), (16, 32, 2), (32, 64, 2))


class Block(nn.Module):
    """The shortcut has no weights: every second pixel, with channels of zeros added."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self._added = (outputs - inputs) // 2
        self._stride = stride

    def forward(self, image: Tensor) -> Tensor:
        inner = functional.relu(self.bn1(self.conv1(image)))
        inner = self.bn2(self.conv2(inner))
        if self._stride != 1:
            image = image[:, :, ::2, ::2]
            image = functional.pad(image, (0, 0, 0, 0, self._added, self._added))
        return functional.relu(inner + image)


class ResNet20(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1, self.layer2, self.layer3 = (_stage(*each) for each in _WIDTHS)
        self.linear = nn.Linear(64, 10)

    def forward(self, image: Tensor) -> Tensor:
        inner = functional.relu(self.bn1(self.conv1(image)))
        inner = self.layer3(self.layer2(self.layer1(inner)))
        logits: Tensor = self.linear(inner.mean((2, 3)))
        return logits


def _stage(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    first = Block(inputs, outputs, stride)
    return nn.Sequential(first, *(Block(outputs, outputs, 1) for _ in range(2)))


def data_folder() -> Path:
    default = Path(__file__).resolve().parents[3] / "shared" / "data"
    folder = Path(os.environ.get("TRIMTAB_TEST_DATA", default))
    if not (folder / "cifar10").is_dir():
        raise SystemExit(f"{folder} has no cifar10/; set TRIMTAB_TEST_DATA to the data's folder")
    return folder


def images(split: Split) -> tuple[Tensor, Tensor]:
    """Normalised float32 images, NCHW, and their labels as int64."""
    with np.load(data_folder() / "cifar10" / f"{split}.npz") as stored:
        pixels = stored["images"].transpose(0, 3, 1, 2).astype(np.float32) / 255
        labels = stored["labels"].astype(np.int64)
    return torch.from_numpy((pixels - _MEAN) / _DEVIATION), torch.from_numpy(labels)


def pretrained() -> ResNet20:
    """The published checkpoint as it comes."""
    from safetensors.torch import load_file

    model = ResNet20()
    model.load_state_dict(load_file(str(data_folder() / "models" / "resnet20_cifar10.safetensors")))
    return model.eval()


def fine_tuned(cache: Path, seed: int = 0, epochs: int = EPOCHS) -> ResNet20:
    """The checkpoint trained on with ``train``; with seed 0 for eight epochs the float baseline.

    Kept in ``cache``, trained where that is absent: a few minutes on two processors.
    """
    if cache.is_file():
        model = ResNet20()
        model.load_state_dict(torch.load(cache, weights_only=True))
        return model.eval()
    model = pretrained()
    fine_tune(model, epochs, seed=seed)
    cache.parent.mkdir(parents=True, exist_ok=True)
    torch.save(model.state_dict(), cache)
    return model.eval()


def fine_tune(
    model: nn.Module, epochs: int, learning_rate: float = LEARNING_RATE, seed: int = 0
) -> None:
    """In place, on ``train``: flips and shifts by four pixels, one learning-rate cycle."""
    torch.manual_seed(seed)
    pictures, labels = images("train")
    steps = epochs * (len(pictures) // BATCH)
    optimizer = torch.optim.SGD(
        model.parameters(), learning_rate, momentum=0.9, weight_decay=5e-4, nesterov=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps)
    model.train()
    for _ in range(epochs):
        order = torch.randperm(len(pictures))
        for start in range(0, len(order) // BATCH * BATCH, BATCH):
            chosen = order[start : start + BATCH]
            loss = functional.cross_entropy(model(_augmented(pictures[chosen])), labels[chosen])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    model.eval()


def _augmented(batch: Tensor) -> Tensor:
    if torch.rand(()) < 0.5:
        batch = batch.flip(3)
    right, down = torch.randint(0, 9, (2,)).tolist()
    return functional.pad(batch, (4, 4, 4, 4))[:, :, down : down + 32, right : right + 32]
