"""What the benchmark makes: rows of variants of one network, each with a float model beside it
that had the same further training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from trimtab.project import PassStep

from benchkit.compression.networks import RESNET20, Network

FLOAT, TRAINED_ON = "float", "float, trained on"
SEEDS = (0, 1, 2)
Recipe = tuple[PassStep, ...]


@dataclass(frozen=True)
class Bounds:
    """Against the float model that was trained on; None: nothing is demanded.

    ``lost``: points of accuracy, ``macs`` and ``size``: shares, at most. ``faster``: times, at
    least.
    """

    lost: float | None = None
    macs: float | None = None
    size: float | None = None
    faster: float | None = None


@dataclass(frozen=True)
class Row:
    """``recipes`` without the two float models, which every row has."""

    name: str
    network: Network
    trained_on: Recipe
    recipes: Mapping[str, Recipe]
    bounds: Mapping[str, Bounds] = field(default_factory=dict)
    seeds: tuple[int, ...] = SEEDS


def _training(epochs: int, learning_rate: float) -> dict[str, object]:
    return {
        "epochs": epochs,
        "learning_rate": learning_rate,
        "optimizer": "sgd",
        "weight_decay": 5e-4,
    }


def _on(epochs: int, learning_rate: float) -> Recipe:
    """Training alone, by the same loop and with the same data."""
    return (PassStep("distill", {"weight": 0.0, **_training(epochs, learning_rate)}),)


def _channels(macs: float, epochs: int) -> Recipe:
    settings = {"structure": "channel", "macs": macs, "round_to": 8, "distill": 0.7}
    return (PassStep("prune", {**settings, **_training(epochs, 0.02)}),)


def _sparse(amount: float) -> Recipe:
    return (PassStep("sparsify", {"amount": amount, **_training(6, 0.01)}),)


ROWS = (
    Row(
        "resnet20-channels",
        RESNET20,
        _on(12, 0.02),
        {"half the MACs": _channels(0.5, 12), "0.36 of the MACs": _channels(0.36, 12)},
        {
            "half the MACs": Bounds(lost=2.0, macs=0.5, faster=1.4),
            "0.36 of the MACs": Bounds(lost=3.0, macs=0.36, faster=1.8),
        },
    ),
    Row(
        "resnet20-magnitude",
        RESNET20,
        _on(6, 0.01),
        {"50 % zeros": _sparse(0.5), "80 % zeros": _sparse(0.8)},
        {"50 % zeros": Bounds(lost=0.5), "80 % zeros": Bounds(lost=2.0)},
    ),
)
