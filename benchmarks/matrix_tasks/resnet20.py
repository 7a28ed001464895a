"""ResNet-20 on the CIFAR subset: all 5,000 test images, calibration and training on the others."""

from collections.abc import Iterator
from functools import cache
from typing import Literal

import torch
from benchkit.resnet20 import fine_tuned, images
from benchkit.tasks import resnet20_weights
from torch import Tensor, nn

_BATCH = 128


@cache
def _images(split: Literal["train", "test"]) -> tuple[Tensor, Tensor]:
    return images(split)


def model() -> nn.Module:
    return fine_tuned(resnet20_weights())


def example_inputs() -> tuple[Tensor, ...]:
    return (_images("test")[0][:1],)


def train_data() -> Iterator[tuple[Tensor, Tensor]]:
    inputs, labels = _images("train")
    order = torch.randperm(len(inputs), generator=torch.Generator().manual_seed(0))
    for batch in torch.split(order, _BATCH):
        yield inputs[batch], labels[batch]


def eval_data() -> Iterator[tuple[Tensor, Tensor]]:
    inputs, labels = _images("test")
    return zip(torch.split(inputs, _BATCH), torch.split(labels, _BATCH), strict=True)
