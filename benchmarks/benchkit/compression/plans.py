"""What the benchmark makes: rows of variants of one network, each with a float model beside it
that had the same further training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from trimtab.project import PassStep

from benchkit.compression.networks import MOBILENET, RESNET20, Network

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
class Way:
    """A recipe; with ``share`` of the float file's bytes a pipeline that turns ``turned``.

    ``max_drop``: a pipeline's guard, a share of the validation data's answers. ``points``: weaker
    settings that are made beside it, for a curve.
    """

    passes: Recipe
    share: float | None = None
    turned: tuple[int, ...] = (0,)
    max_drop: float = 0.03
    points: int = 0


@dataclass(frozen=True)
class Row:
    """``ways`` without the two float models, which every row has."""

    name: str
    network: Network
    trained_on: Recipe
    ways: Mapping[str, Way]
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


def _channels(macs: float, epochs: int) -> Way:
    settings = {"structure": "channel", "macs": macs, "round_to": 8, "distill": 0.7}
    return Way((PassStep("prune", {**settings, **_training(epochs, 0.02)}),))


def _sparse(amount: float) -> Way:
    return Way((PassStep("sparsify", {"amount": amount, **_training(6, 0.01)}),))


def _mobile(share: float, *passes: PassStep, max_drop: float) -> Way:
    return Way(passes, share, max_drop=max_drop)


_CUT = PassStep(
    "prune", {"structure": "channel", "round_to": 8, "distill": 0.7, **_training(10, 0.02)}
)
_INT8 = PassStep("quantize", {"scheme": "static", "method": "percentile"})

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
    Row(
        "mobilenetv3-table",
        MOBILENET,
        _on(10, 0.02),
        {
            "pruned": _mobile(0.51, _CUT, max_drop=0.02),
            "int8": Way((_INT8,)),
            "pruned, int8": _mobile(0.134, _CUT, _INT8, max_drop=0.03),
        },
        {
            "pruned": Bounds(lost=0.7, size=0.51),
            "int8": Bounds(lost=1.4, size=0.26),
            "pruned, int8": Bounds(lost=2.3, size=0.134),
        },
        seeds=(0,),
    ),
)
