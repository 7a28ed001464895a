"""How large a model is, and what one inference costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trimtab.compress.quiet import quiet

if TYPE_CHECKING:
    from torch import Tensor, nn


class Counts(NamedTuple):
    parameters: int
    macs: int


def model_counts(model: nn.Module, inputs: tuple[Tensor, ...]) -> Counts:
    """``macs``: of convolutions, linear layers and normalizations, for one batch of ``inputs``."""
    from torch_pruning.utils import count_ops_and_params

    with quiet():
        macs, parameters = count_ops_and_params(model, inputs)
    return Counts(int(parameters), int(macs))
