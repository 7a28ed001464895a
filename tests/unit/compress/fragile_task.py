"""A task file whose first tensor has an outlier channel that float bears and int8 does not.

Scaling a channel up by 1000 and the next layer's weights for it down by as much changes nothing
that the network computes (ReLU is positively homogeneous), but one scale for the whole tensor then
leaves the other channels a quarter of a step.
"""

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

OUTLIER = 1000.0
EVAL_COUNT = 500


def _data() -> tuple[Tensor, Tensor]:
    digits = load_digits()
    order = torch.randperm(len(digits.target), generator=torch.Generator().manual_seed(0))
    images = torch.tensor(digits.images / 16.0, dtype=torch.float32)[:, None]
    return images[order], torch.tensor(digits.target)[order]


def _trained() -> nn.Sequential:
    network = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(12, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 64, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64 * 4 * 4, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )
    images, labels = (each[EVAL_COUNT:] for each in _data())
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    for _ in range(10):
        for batch in torch.split(torch.randperm(len(images)), 64):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(network(images[batch]), labels[batch])
            torch.autograd.backward(loss)
            optimizer.step()
    return network.eval()


def model() -> nn.Module:
    torch.manual_seed(0)
    network = _trained()
    first, second = (each for each in list(network)[:3] if isinstance(each, nn.Conv2d))
    assert first.bias is not None
    images = _data()[0][:100]
    with torch.no_grad():
        busiest = int(first(images).amax((0, 2, 3)).argmax())
        first.weight[busiest] *= OUTLIER
        first.bias[busiest] *= OUTLIER
        second.weight[:, busiest] /= OUTLIER
    return network


def example_inputs() -> tuple[Tensor, ...]:
    return (_data()[0][:1],)


def train_data() -> list[tuple[Tensor, Tensor]]:
    images, labels = _data()
    return [(images[EVAL_COUNT:], labels[EVAL_COUNT:])]


def eval_data() -> list[tuple[Tensor, Tensor]]:
    images, labels = _data()
    return [(images[:EVAL_COUNT], labels[:EVAL_COUNT])]
