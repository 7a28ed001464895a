"""What the benchmark makes: rows of variants of one network, each with a float model beside it
that had the same further training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from trimtab.project import PassStep

from benchkit.compression.networks import ENCODER, MOBILENET, RESNET20, Network
from benchkit.compression.text_rivals import of_words, of_words_and_pairs

FLOAT, TRAINED_ON = "float", "float, trained on"
Recipe = tuple[PassStep, ...]


@dataclass(frozen=True)
class Bounds:
    """Against the float model that was trained on; None: nothing is demanded.

    ``lost``: points of accuracy, ``macs`` and ``size``: shares, at most. ``faster``: times, at
    least. ``accuracy`` and ``lost_at_least``: what the row means nothing without.
    """

    lost: float | None = None
    macs: float | None = None
    size: float | None = None
    faster: float | None = None
    accuracy: float | None = None
    lost_at_least: float | None = None


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
    """``ways`` without the two float models, which every row has; one seed of it takes ten minutes.

    ``rivals``: figures of what is no variant of the network, by name. ``curve``: pipelines whose
    points must dominate those of their first passes alone and the ways ``alone``.
    """

    name: str
    network: Network
    trained_on: Recipe
    ways: Mapping[str, Way]
    bounds: Mapping[str, Bounds] = field(default_factory=dict)
    seeds: tuple[int, ...] = (0,)
    rivals: Mapping[str, Callable[[], dict[str, Any]]] = field(default_factory=dict)
    curve: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()


def _training(epochs: int, learning_rate: float, precision: str = "bfloat16") -> dict[str, Any]:
    return {
        "epochs": epochs,
        "learning_rate": learning_rate,
        "optimizer": "sgd",
        "weight_decay": 5e-4,
        "precision": precision,
    }


def _on(training: dict[str, Any]) -> Recipe:
    """Training alone, by the same loop and with the same data."""
    return (PassStep("distill", {"weight": 0.0, **training}),)


_CHANNELS_TRAINING = _training(16, 0.03)
_LONGER_TRAINING = _training(40, 0.03)


def _within_blocks(macs: float, training: dict[str, Any]) -> PassStep:
    """Stages keep their widths: where 16 channels are computed at once, 8 are not faster."""
    return PassStep(
        "prune",
        {
            **{"structure": "channel", "macs": macs, "round_to": 8, "distill": 0.9},
            "keep": ["conv1", "layer*.*.conv2"],
            **training,
        },
    )


_SPARSE_TRAINING = _training(5, 0.02)


def _sparse(amount: float) -> Way:
    """Zeros come while it trains; with all of them it learns from the float model's outputs."""
    return Way(
        (
            PassStep("sparsify", {"amount": amount, "end": 0.7, **_SPARSE_TRAINING}),
            PassStep("distill", {"weight": 0.9, **_SPARSE_TRAINING}),
        )
    )


def _mobile(share: float, *passes: PassStep, max_drop: float, points: int = 0) -> Way:
    return Way(passes, share, (0, 1), max_drop, points)


_MOBILE_TRAINING = _training(8, 0.05, "float32")
# Neurons of the classifier first: they are four tenths of the bytes, and matter least.
_CUT = (
    PassStep("prune", {"structure": "neuron", "round_to": 8, "epochs": 0}),
    PassStep("prune", {"structure": "channel", "round_to": 8, "epochs": 0}),
    PassStep("distill", {"weight": 0.3, **_MOBILE_TRAINING}),
)
_TEXT_TRAINING = {
    **_training(6, 1e-3),
    "optimizer": "adamw",
    "weight_decay": 0.05,
}


def _narrow(width: float, weight: float) -> PassStep:
    """With new weights, and as many epochs as the float model had before and after."""
    chosen = {"student": "narrow", "width": width, "start": "fresh", "weight": weight}
    return PassStep("distill", {**chosen, **_TEXT_TRAINING, "epochs": 12})


_SMALL = PassStep("quantize", {"scheme": "weight-int8"})
_INT8 = PassStep("quantize", {"scheme": "static", "method": "percentile"})

ROWS = (
    Row(
        "resnet20-channels",
        RESNET20,
        _on(_CHANNELS_TRAINING),
        {"half the MACs": Way((_within_blocks(0.5, _CHANNELS_TRAINING),))},
        {"half the MACs": Bounds(lost=2.0, macs=0.5, faster=1.4)},
        seeds=(0, 1, 2),
    ),
    Row(
        "resnet20-channels-and-blocks",
        RESNET20,
        _on(_LONGER_TRAINING),
        {
            "0.36 of the MACs": Way(
                (
                    PassStep("simplify", {"drop_blocks": 2, "keep": ["layer2*", "layer3*"]}),
                    _within_blocks(0.468, _LONGER_TRAINING),
                )
            ),
        },
        {"0.36 of the MACs": Bounds(lost=3.0, macs=0.36, faster=1.8)},
    ),
    Row(
        "resnet20-magnitude",
        RESNET20,
        _on(_training(10, 0.02)),
        {"50 % zeros": _sparse(0.5), "80 % zeros": _sparse(0.8)},
        {"50 % zeros": Bounds(lost=0.5), "80 % zeros": Bounds(lost=2.0)},
        seeds=(0, 1, 2),
    ),
    Row(
        "mobilenetv3-table",
        MOBILENET,
        _on(_MOBILE_TRAINING),
        {
            "pruned": _mobile(0.51, *_CUT, max_drop=0.05),
            "int8 alone": Way((_INT8,)),
            "int8": _mobile(0.26, *_CUT, _INT8, max_drop=0.05),
            "pruned, int8": _mobile(0.134, *_CUT, _INT8, max_drop=0.05, points=1),
        },
        {
            FLOAT: Bounds(accuracy=75.0),
            "pruned": Bounds(lost=0.7, size=0.51),
            "int8": Bounds(lost=1.4, size=0.26),
            "pruned, int8": Bounds(lost=2.3, size=0.134),
        },
        curve=("int8", "pruned, int8"),
        alone=("int8 alone", "pruned"),
    ),
    Row(
        "encoder-table",
        ENCODER,
        _on(_TEXT_TRAINING),
        {
            "half the width": Way((_narrow(0.5, 0.0),)),
            "distilled, int8": Way((_narrow(0.5, 0.7), _SMALL)),
            "tiny, distilled, int8": Way((_narrow(0.0625, 0.7), _SMALL)),
        },
        {
            "half the width": Bounds(lost_at_least=0.5),
            "distilled, int8": Bounds(lost=3.3, size=0.157),
            "tiny, distilled, int8": Bounds(lost=6.6, size=0.033),
            "TF-IDF, words": Bounds(lost_at_least=2.0),
        },
        rivals={"TF-IDF, words": of_words, "TF-IDF, words and pairs": of_words_and_pairs},
    ),
)
