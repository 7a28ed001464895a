"""How far a layer's output is from the teacher's: values, attention maps, relations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trimtab.compress.passes.distillation.settings import Match

if TYPE_CHECKING:
    from torch import Tensor

Shape = tuple[int, ...]
_LEAST_PROBABILITY = 1e-8


class Matching(ABC):
    """``tensor`` picks what is matched out of a layer's output; None: it has nothing that suits."""

    @abstractmethod
    def tensor(self, output: Any) -> Tensor | None: ...

    @abstractmethod
    def problem(self, ours: Shape, theirs: Shape) -> str | None:
        """Why features of these shapes cannot be matched."""

    @abstractmethod
    def distance(self, ours: Tensor, theirs: Tensor) -> Tensor: ...


class Hint(Matching):
    """FitNets (Romero et al., 2015): squared error, as a share of the teacher's mean square.

    A share, so that one weight suits layers of any scale.
    """

    def tensor(self, output: Any) -> Tensor | None:
        return _first_tensor(output)

    def problem(self, ours: Shape, theirs: Shape) -> str | None:
        if len(ours) == len(theirs) and (len(ours) == 4 or projected_dim(ours, theirs) is not None):
            return None
        return "they differ in more than their width"

    def distance(self, ours: Tensor, theirs: Tensor) -> Tensor:
        from torch.nn import functional

        ours, theirs = _of_one_size(ours, theirs)
        scale = theirs.square().mean().clamp_min(_LEAST_PROBABILITY)
        return functional.mse_loss(ours, theirs) / scale


class SpatialAttention(Matching):
    """Where convolutions look (Zagoruyko and Komodakis, 2017, arXiv:1612.03928).

    Squared distance of the normalised maps of squares, summed over channels.
    """

    def tensor(self, output: Any) -> Tensor | None:
        import torch

        return output if isinstance(output, torch.Tensor) and output.ndim == 4 else None

    def problem(self, ours: Shape, theirs: Shape) -> str | None:
        return None

    def distance(self, ours: Tensor, theirs: Tensor) -> Tensor:
        from torch.nn import functional

        ours, theirs = _of_one_size(ours, theirs)
        maps = [functional.normalize(each.square().sum(1).flatten(1)) for each in (ours, theirs)]
        return (maps[0] - maps[1]).square().sum(1).mean()


class AttentionProbabilities(Matching):
    """Of layers that give them beside their output, divergence as MiniLM's (arXiv:2002.10957)."""

    def tensor(self, output: Any) -> Tensor | None:
        import torch

        if isinstance(output, torch.Tensor):
            return None
        beside = [each for each in _tensors(output)[1:] if each.is_floating_point()]
        return next((each for each in beside if each.ndim in (3, 4)), None)

    def problem(self, ours: Shape, theirs: Shape) -> str | None:
        return None if ours[-2:] == theirs[-2:] else "they look at different positions"

    def distance(self, ours: Tensor, theirs: Tensor) -> Tensor:
        """Heads are averaged where their numbers differ."""
        if ours.shape != theirs.shape:
            ours, theirs = _over_heads(ours), _over_heads(theirs)
        return _divergence(ours, theirs)


class Relations(Matching):
    """MiniLMv2 (Wang et al., 2021, arXiv:2012.15828): how alike positions are to each other.

    Of queries, keys, values or any features [batch, positions, width]; widths may differ.
    """

    def __init__(self, heads: int) -> None:
        self._heads = heads

    def tensor(self, output: Any) -> Tensor | None:
        found = _first_tensor(output)
        return found if found is not None and found.ndim == 3 else None

    def problem(self, ours: Shape, theirs: Shape) -> str | None:
        if ours[1] != theirs[1]:
            return "they have different numbers of positions"
        for width in (ours[2], theirs[2]):
            if width % self._heads:
                return f"relation_heads = {self._heads} does not divide the width {width}"
        return None

    def distance(self, ours: Tensor, theirs: Tensor) -> Tensor:
        return _divergence(self._relations(ours), self._relations(theirs))

    def _relations(self, features: Tensor) -> Tensor:
        batch, positions, width = features.shape
        each = width // self._heads
        apart = features.reshape(batch, positions, self._heads, each).transpose(1, 2)
        alike: Tensor = apart @ apart.transpose(-1, -2) / each**0.5
        return alike.softmax(-1)


SUITABLE: dict[Match, str] = {
    "hint": "layers that give a tensor",
    "attention": "convolutional features [batch, channels, height, width], and attention layers "
    'that give their probabilities (transformers: attn_implementation="eager"); match others by '
    '"relations" or "hint"',
    "relations": "features [batch, positions, width]",
}


def matchings(match: Match, relation_heads: int) -> tuple[Matching, ...]:
    """The first that finds something in both layers' outputs is taken."""
    if match == "hint":
        return (Hint(),)
    if match == "attention":
        return (SpatialAttention(), AttentionProbabilities())
    return (Relations(relation_heads),)


def projected_dim(ours: Shape, theirs: Shape) -> int | None:
    """The one dimension in which the shapes differ, without the batch's; None: there is none.

    Images may differ in their size too: then it is that of their channels.
    """
    different = [dim for dim in range(1, len(ours)) if ours[dim] != theirs[dim]]
    if not different:
        return 1
    if len(ours) == 4 and (len(different) > 1 or different != [3]):
        return 1
    return different[0] if len(different) == 1 else None


def _divergence(ours: Tensor, theirs: Tensor) -> Tensor:
    """KL divergence of distributions over the last dimension, the mean over all of them."""
    log_ours = ours.clamp_min(_LEAST_PROBABILITY).log()
    log_theirs = theirs.clamp_min(_LEAST_PROBABILITY).log()
    return (theirs * (log_theirs - log_ours)).sum(-1).mean()


def _of_one_size(ours: Tensor, theirs: Tensor) -> tuple[Tensor, Tensor]:
    """The larger image is averaged down to the smaller one's size."""
    from torch.nn import functional

    if ours.ndim != 4 or ours.shape[2:] == theirs.shape[2:]:
        return ours, theirs
    size = min(ours.shape[2], theirs.shape[2]), min(ours.shape[3], theirs.shape[3])
    return functional.adaptive_avg_pool2d(ours, size), functional.adaptive_avg_pool2d(theirs, size)


def _over_heads(probabilities: Tensor) -> Tensor:
    return probabilities.mean(1) if probabilities.ndim == 4 else probabilities


def _first_tensor(output: Any) -> Tensor | None:
    found = _tensors(output)
    return found[0] if found and found[0].is_floating_point() else None


def _tensors(output: Any) -> list[Tensor]:
    import torch

    if isinstance(output, torch.Tensor):
        return [output]
    if isinstance(output, Mapping):
        output = tuple(output.values())
    if isinstance(output, tuple | list):
        return [each for each in output if isinstance(each, torch.Tensor)]
    return []
