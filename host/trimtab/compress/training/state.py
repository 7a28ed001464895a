"""What a training has reached, as a checkpoint keeps it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from trimtab.compress.training.settings import TrainingSettings

if TYPE_CHECKING:
    from torch import Tensor, nn

_LAYOUT = 1  # of a checkpoint: one of another is another training's
Weights = dict[str, "Tensor"]


@dataclass
class Best:
    epoch: int
    score: float
    weights: Weights


@dataclass
class Reached:
    """``batch`` batches of ``epoch`` are done, whose losses are ``losses``; ``steps`` in all.

    ``loss``: the mean of the last whole epoch.
    """

    epoch: int = 0
    batch: int = 0
    steps: int = 0
    losses: list[float] = field(default_factory=list)
    loss: float = math.nan
    best: Best | None = None

    def end_epoch(self) -> None:
        self.loss = sum(self.losses) / len(self.losses)
        self.losses = []
        self.epoch += 1
        self.batch = 0

    def as_data(self) -> dict[str, Any]:
        best = None if self.best is None else vars(self.best)
        return {**vars(self), "best": best}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Reached:
        """Raises TypeError for anything but ``as_data``'s."""
        best = data.get("best")
        return cls(**{**data, "best": None if best is None else Best(**best)})


def weights_of(model: nn.Module) -> Weights:
    """Copies of all parameters and buffers, those too that a state_dict leaves out."""
    return {name: value.detach().clone() for name, value in _tensors(model).items()}


def put_weights(model: nn.Module, weights: Weights) -> None:
    """In place. Raises ValueError, and changes nothing, where names or shapes are others."""
    import torch

    own = _tensors(model)
    if {name: each.shape for name, each in own.items()} != {
        name: each.shape for name, each in weights.items()
    }:
        raise ValueError("the weights are another model's")
    with torch.no_grad():
        for name, value in weights.items():
            own[name].copy_(value)


def fingerprint(model: nn.Module, settings: TrainingSettings, digest: str, seed: int) -> str:
    """Of everything that a training starts from, but for the pass's own loss."""
    import torch

    hasher = hashlib.sha256()
    told = {
        "epochs": settings.epochs,
        "learning_rate": settings.learning_rate,
        "optimizer": settings.optimizer,
        "weight_decay": settings.weight_decay,
        "patience": settings.patience,
        "precision": settings.precision,
        "number": settings.checkpoint.number,
        "data": digest,
        "seed": seed,
        "layout": _LAYOUT,
    }
    hasher.update(json.dumps(told, sort_keys=True).encode())
    for name, value in _tensors(model).items():
        plain = value.detach().cpu().contiguous()
        hasher.update(f"{name} {plain.dtype} {tuple(plain.shape)}".encode())
        hasher.update(plain.flatten().view(torch.uint8).numpy().tobytes())
    return hasher.hexdigest()


def _tensors(model: nn.Module) -> Weights:
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}
