"""CIFAR-10's images split so that choices and results never share one: 13,500 to train on, 1,500
of the training images to choose on, the 5,000 test images to report on."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from benchkit.resnet20 import images

VALIDATION = 1_500
_BATCH = 128
_MARGIN = 4
Batches = Iterator[tuple[Tensor, Tensor]]


def train_data(batch: int = _BATCH) -> Batches:
    """One epoch, shuffled by torch's seed: each image flipped or not, and shifted by its own."""
    pictures, labels = _split()[0]
    for chosen in torch.split(torch.randperm(len(pictures)), batch):
        if len(chosen) == batch:
            yield _augmented(pictures[chosen]), labels[chosen]


def validation_data() -> Batches:
    pictures, labels = _split()[1]
    yield from zip(torch.split(pictures, 500), torch.split(labels, 500), strict=True)


def test_data() -> Batches:
    pictures, labels = images("test")
    yield from zip(torch.split(pictures, 500), torch.split(labels, 500), strict=True)


def calibration_data() -> Iterator[Tensor]:
    """As they are, not augmented."""
    yield _split()[0][0][:512]


@cache
def _split() -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    pictures, labels = images("train")
    order = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(0))
    trained, chosen_on = order[VALIDATION:], order[:VALIDATION]
    return (pictures[trained], labels[trained]), (pictures[chosen_on], labels[chosen_on])


def _augmented(batch: Tensor) -> Tensor:
    count, _, height, width = batch.shape
    flipped = torch.where(torch.rand(count, 1, 1, 1) < 0.5, batch.flip(3), batch)
    padded = functional.pad(flipped, (_MARGIN,) * 4)
    down, right = torch.randint(0, 2 * _MARGIN + 1, (2, count, 1))
    rows = (down + torch.arange(height))[:, :, None]
    columns = (right + torch.arange(width))[:, None, :]
    return padded[torch.arange(count)[:, None, None], :, rows, columns].permute(0, 3, 1, 2)
