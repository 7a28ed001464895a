"""A small network that reads handwritten digits: the task that Trimtab is to trim.

Replace the functions below with your own model and data. Only `model` and `example_inputs` are
required; with `eval_data` every variant's accuracy is measured on the device as well.
"""

from collections.abc import Iterator
from functools import cache

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

SEED = 0
EVAL_COUNT = 500
BATCH_SIZE = 64
EPOCHS = 15


@cache
def _splits() -> list[Tensor]:
    """1,797 real 8x8 images in scikit-learn: 1,297 to train on and 500, kept apart, to evaluate."""
    digits = load_digits()
    images = (digits.images / 16.0).astype(np.float32)[:, None]
    parts = train_test_split(
        images, digits.target, test_size=EVAL_COUNT, stratify=digits.target, random_state=SEED
    )
    return [torch.from_numpy(part) for part in parts]


def _batches(images: Tensor, labels: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    return zip(torch.split(images, BATCH_SIZE), torch.split(labels, BATCH_SIZE), strict=True)


def model() -> nn.Module:
    """The trained model. Load a checkpoint here if you have one; this one trains in seconds."""
    torch.manual_seed(SEED)
    network = nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(64, 64, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64 * 4 * 4, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )
    images, _, labels, _ = _splits()
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    for _ in range(EPOCHS):
        order = torch.randperm(len(images))
        for batch in torch.split(order, BATCH_SIZE):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(network(images[batch]), labels[batch])
            torch.autograd.backward(loss)
            optimizer.step()
    return network.eval()


def example_inputs() -> tuple[Tensor, ...]:
    """One sample, with a batch dimension of 1: it gives the exported model its shapes."""
    return (_splits()[1][:1],)


def train_data() -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of (inputs, targets); static quantization calibrates on the first of them."""
    images, _, labels, _ = _splits()
    return _batches(images, labels)


def eval_data() -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of (inputs, targets) that the model never saw: accuracy is measured on these."""
    _, images, _, labels = _splits()
    return _batches(images, labels)
