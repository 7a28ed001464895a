"""A convolution as a sum of rank-one kernels, by CP (Lebedev et al., 2015, arXiv:1412.6553)."""

from __future__ import annotations

import warnings
from typing import Any

import torch

from trimtab.compress.passes.factorization.decompositions import (
    Decomposition,
    Ranks,
    Site,
    Stage,
)
from trimtab.compress.passes.factorization.factored import Factored
from trimtab.compress.passes.factorization.pieces import piece, pointwise, row

_ITERATIONS = 100
_TOLERANCE = 1e-6


class Cp(Decomposition):
    """By alternating least squares: slow, and what it keeps is known only once it has run."""

    method = "cp"

    def __init__(self, site: Site, seed: int) -> None:
        super().__init__(site)
        self._seed = seed
        self._kept: dict[int, float] = {}

    def stages(self, ranks: Ranks) -> list[Stage]:
        out, into, *kernel = self.site.weight.shape
        along: list[Stage] = [(size, (axis,)) for axis, size in enumerate(kernel)]
        of_one: list[Stage] = [(into, ()), *along, (out, ())]
        return [(ranks[0] * weights, axes) for weights, axes in of_one]

    def ranks_within(self, work: float, round_to: int) -> Ranks | None:
        rank = int(work // self.macs((1,)))
        rank -= rank % round_to
        return (rank,) if rank else None

    def ranks(self, energy: float, round_to: int) -> Ranks:
        """Where none that saves work keeps that much: the first that saves none."""
        low, high = 0, self.original_work // (self.macs((1,)) * round_to) + 1
        while high - low > 1:
            middle = (low + high) // 2
            enough = self._keeps(middle * round_to) >= energy
            low, high = (low, middle) if enough else (middle, high)
        return (high * round_to,)

    def _keeps(self, rank: int) -> float:
        if rank not in self._kept:
            lost = self.squared_error(self.build((rank,)))
            self._kept[rank] = 1 - lost / float(self.site.weight.square().sum())
        return self._kept[rank]

    def build(self, ranks: Ranks) -> Factored:
        layer = self.site.layer
        expand, reduce, *kernels = self._factors(ranks[0])
        return row(
            piece(layer, self.site.unweighted(pointwise(reduce.T, layer)), ()),
            *(self._along(axis, kernel, ranks[0]) for axis, kernel in enumerate(kernels)),
            piece(layer, pointwise(expand, layer), (), layer.bias),
        )

    def _along(self, axis: int, kernel: Any, rank: int) -> torch.nn.Module:
        size = [1] * len(self.site.outputs)
        size[axis] = len(kernel)
        weight = torch.from_numpy(kernel.T.copy()).reshape(rank, 1, *size)
        return piece(self.site.layer, weight, (axis,), groups=rank)

    def _factors(self, rank: int) -> list[Any]:
        """One a mode, each [size, rank], of like size, so that they learn alike."""
        from tensorly.decomposition import parafac

        with warnings.catch_warnings():
            # It starts from as many singular vectors as there are, and says that it fills up.
            warnings.simplefilter("ignore", UserWarning)
            scales, factors = parafac(
                self.site.weight.cpu().numpy(),
                rank,
                n_iter_max=_ITERATIONS,
                tol=_TOLERANCE,
                random_state=self._seed,
                normalize_factors=True,
            )
        share = scales ** (1 / len(factors))
        return [factor * share for factor in factors]
