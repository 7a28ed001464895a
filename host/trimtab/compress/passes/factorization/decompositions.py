"""Ways to write one layer as a product, by rank.

Truncated SVD; Tucker-2 (Kim et al., 2016, arXiv:1511.06530); spatial SVD (Jaderberg et al., 2014,
arXiv:1405.3866).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from trimtab.compress.passes.factorization.factored import Factored, fuse_back, is_convolution
from trimtab.compress.passes.factorization.filling import filled
from trimtab.compress.passes.factorization.pieces import linear, piece, pointwise, row

Ranks = tuple[int, ...]
# Weights of a stage, and the axes along which it has the layer's kernel and stride.
Stage = tuple[int, tuple[int, ...]]
_BISECTIONS = 40
_TUCKER_ITERATIONS = 10


@dataclass(frozen=True)
class Site:
    """A layer that may be replaced, and the positions it works on, by axis.

    ``mixing`` [in, in]: errors are weighted by it along the inputs; None: all count alike.
    """

    name: str
    layer: Any
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    mixing: Tensor | None = None

    @cached_property
    def weight(self) -> Tensor:
        """Double, weighted by ``mixing``."""
        return self.weighted(self.layer.weight)

    def weighted(self, weight: Tensor) -> Tensor:
        wide = weight.detach().double()
        return wide if self.mixing is None else torch.einsum("oi...,ij->oj...", wide, self.mixing)

    def unweighted(self, first: Tensor) -> Tensor:
        """Of the factor that takes the inputs, [rank, in, ...]."""
        if self.mixing is None:
            return first
        inverse = torch.linalg.inv(self.mixing)
        return torch.einsum("rj...,ji->ri...", first, inverse)

    @cached_property
    def macs(self) -> int:
        """Of the layer as it is; a look-up has none."""
        is_table = isinstance(self.layer, nn.Embedding)
        return 0 if is_table else self.layer.weight.numel() * math.prod(self.outputs)


class Decomposition(ABC):
    """``method``: its name in a sentence."""

    method: str

    def __init__(self, site: Site) -> None:
        self.site = site

    @abstractmethod
    def stages(self, ranks: Ranks) -> list[Stage]: ...

    @abstractmethod
    def ranks(self, energy: float, round_to: int) -> Ranks:
        """The least that keep this share of the squared singular values, rounded up."""

    @abstractmethod
    def build(self, ranks: Ranks) -> Factored: ...

    def macs(self, ranks: Ranks) -> int:
        size, total = list(self.site.inputs), 0
        for weights, axes in self.stages(ranks):
            for axis in axes:
                size[axis] = self.site.outputs[axis]
            total += weights * math.prod(size)
        return total

    def work(self, ranks: Ranks) -> int:
        """What a replacement is judged by."""
        return self.macs(ranks)

    @property
    def original_work(self) -> int:
        return self.site.macs

    def saves(self, ranks: Ranks) -> bool:
        return self.work(ranks) < self.original_work

    def ranks_within(self, work: float, round_to: int) -> Ranks | None:
        """The largest that cost no more; None: there are none."""
        return largest(lambda energy: self.ranks(energy, round_to), lambda r: self.work(r) <= work)

    def squared_error(self, factored: Factored) -> float:
        """Of the weights, weighted; to be compared with the squares of ``site.weight``."""
        whole: Any = fuse_back(factored)
        return float((self.site.weighted(whole.weight) - self.site.weight).square().sum())


def largest(ranks: Callable[[float], Ranks], fits: Callable[[Ranks], bool]) -> Ranks | None:
    """Bisection on the energy that is kept."""
    low, high = 0.0, 1.0
    if fits(ranks(high)):
        return ranks(high)
    if not fits(ranks(low)):
        return None
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(ranks(middle)) else (low, middle)
    return ranks(low)


class MatrixSvd(Decomposition):
    """Of a linear layer, or a convolution of size 1."""

    method = "svd"

    @cached_property
    def _parts(self) -> tuple[Tensor, Tensor, Tensor]:
        return _svd(self._matrix)

    @property
    def _matrix(self) -> Tensor:
        return self.site.weight.flatten(1)

    def ranks(self, energy: float, round_to: int) -> Ranks:
        return (rank_for(self._parts[1].square(), energy, round_to),)

    def stages(self, ranks: Ranks) -> list[Stage]:
        out, into = self._matrix.shape
        return [(ranks[0] * into, tuple(range(len(self.site.inputs)))), (ranks[0] * out, ())]

    def _halves(self, ranks: Ranks) -> tuple[Tensor, Tensor]:
        """[out, rank] and [rank, in], of like size, so that both learn alike."""
        left, values, right = (
            part[..., : ranks[0]] for part in (*self._parts[:2], self._parts[2].T)
        )
        root = values.sqrt()
        return left * root, (right * root).T

    def build(self, ranks: Ranks) -> Factored:
        layer = self.site.layer
        expand, reduce = self._halves(ranks)
        reduce = self.site.unweighted(reduce)
        if is_convolution(layer):
            sizes = (1,) * len(layer.kernel_size)
            axes = range(len(sizes))
            first = piece(layer, reduce.reshape(*reduce.shape, *sizes), axes)
            return row(first, piece(layer, expand.reshape(*expand.shape, *sizes), (), layer.bias))
        return row(linear(layer, reduce, None), linear(layer, expand, layer.bias))


class EmbeddingSvd(MatrixSvd):
    """A table as in ALBERT (Lan et al., 2020, arXiv:1909.11942): smaller, at the price of work."""

    @property
    def _matrix(self) -> Tensor:
        return self.site.weight.T

    def stages(self, ranks: Ranks) -> list[Stage]:
        return [(0, ()), (ranks[0] * self._matrix.shape[0], ())]

    def work(self, ranks: Ranks) -> int:
        return ranks[0] * sum(self._matrix.shape)

    @property
    def original_work(self) -> int:
        return int(self.site.layer.weight.numel())

    def build(self, ranks: Ranks) -> Factored:
        layer = self.site.layer
        expand, reduce = self._halves(ranks)
        small = nn.Embedding(layer.num_embeddings, ranks[0], padding_idx=layer.padding_idx)
        return row(filled(small, layer.weight, reduce.T, None), linear(layer, expand, None))


class SpatialSvd(Decomposition):
    method = "spatial-svd"

    @cached_property
    def _parts(self) -> tuple[Tensor, Tensor, Tensor]:
        by_axis = self.site.weight.permute(1, 2, 0, 3)
        return _svd(by_axis.flatten(2).flatten(0, 1))

    def ranks(self, energy: float, round_to: int) -> Ranks:
        return (rank_for(self._parts[1].square(), energy, round_to),)

    def stages(self, ranks: Ranks) -> list[Stage]:
        out, into, height, width = self.site.weight.shape
        return [(ranks[0] * into * height, (0,)), (ranks[0] * out * width, (1,))]

    def build(self, ranks: Ranks) -> Factored:
        layer, (rank,) = self.site.layer, ranks
        out, into, height, width = self.site.weight.shape
        left, values, right = self._parts
        root = values[:rank].sqrt()
        first = (left[:, :rank] * root).T.reshape(rank, into, height, 1)
        second = (right[:rank].T * root).reshape(out, width, rank).permute(0, 2, 1)
        return row(
            piece(layer, self.site.unweighted(first), (0,)),
            piece(layer, second[:, :, None], (1,), layer.bias),
        )


class Tucker2(Decomposition):
    method = "tucker2"

    @cached_property
    def _energies(self) -> tuple[Tensor, Tensor]:
        """Squared singular values of the unfoldings along the outputs and along the inputs."""
        weight = self.site.weight
        unfolded = (weight.flatten(1), weight.transpose(0, 1).flatten(1))
        return (_squares(unfolded[0]), _squares(unfolded[1]))

    def ranks(self, energy: float, round_to: int) -> Ranks:
        """What both sides lose adds up at most."""
        each = 1 - (1 - energy) / 2
        return tuple(rank_for(energies, each, round_to) for energies in self._energies)

    def stages(self, ranks: Ranks) -> list[Stage]:
        out, into, *kernel = self.site.weight.shape
        axes = tuple(range(len(kernel)))
        core = ranks[0] * ranks[1] * math.prod(kernel)
        return [(ranks[1] * into, ()), (core, axes), (out * ranks[0], ())]

    def build(self, ranks: Ranks) -> Factored:
        from tensorly.decomposition import partial_tucker

        layer, weight = self.site.layer, self.site.weight
        (core, (expand, reduce)), _ = partial_tucker(
            weight.cpu().numpy(), rank=list(ranks), modes=[0, 1], n_iter_max=_TUCKER_ITERATIONS
        )
        axes = range(len(layer.kernel_size))
        return row(
            piece(layer, self.site.unweighted(pointwise(reduce.T, layer)), ()),
            piece(layer, torch.from_numpy(core.copy()), axes),
            piece(layer, pointwise(expand, layer), (), layer.bias),
        )


def rank_for(energies: Tensor, share: float, round_to: int) -> int:
    """``energies`` fall; at least one multiple of ``round_to``, at most all of them."""
    kept = energies.cumsum(0)
    kept = kept / kept[-1].clamp_min(torch.finfo(kept.dtype).tiny)
    needed = int(torch.searchsorted(kept, torch.tensor(share, dtype=kept.dtype))) + 1
    return min(len(energies), math.ceil(needed / round_to) * round_to)


def _squares(matrix: Tensor) -> Tensor:
    values: Tensor = torch.linalg.svdvals(matrix)
    return values.square()


def _svd(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    return left, values, right
