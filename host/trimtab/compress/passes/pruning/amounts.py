"""How much of each layer goes: by what the model loses without it, and by what it costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from trimtab.compress.passes.base import ModelContext, PassRejected
from trimtab.compress.passes.pruning.amounts_assignment import MOST, Layer, assign
from trimtab.compress.passes.pruning.amounts_cost import Cost, macs_cost, time_cost
from trimtab.compress.passes.pruning.amounts_loss import Loss, loss_of

if TYPE_CHECKING:
    from torch import nn

_TRIED = (0.25, 0.5, 0.75)
# A layer that costs less of the time than this share of what the others do on average stays whole.
_NEGLIGIBLE = 0.1


@dataclass(frozen=True)
class AmountRequest:
    """``amount``: the overall share. As much of the cost goes as if every layer lost that share of
    its channels; cost is MACs (sensitivity), or time on ``device`` (profile).

    ``prune`` gives a copy without these shares of these layers; ``model`` is in eval mode.
    ``device``: as in [devices]; None: the project's own.
    """

    model: nn.Module
    amount: float
    layers: tuple[str, ...]
    how: Literal["sensitivity", "profile"]
    context: ModelContext
    prune: Callable[[nn.Module, Mapping[str, float]], nn.Module]
    device: str | None = None


class LayerAmounts(dict[str, float]):
    """Shares by layer, 0 for those that stay whole; ``summary``: how they came about, in words."""

    def __init__(self, amounts: Mapping[str, float], summary: str) -> None:
        super().__init__(amounts)
        self.summary = summary


def layer_amounts(request: AmountRequest) -> LayerAmounts:
    """Raises PassRejected with what to do."""
    if not 0 < request.amount <= MOST:
        raise PassRejected(
            f"an amount of {request.amount:g} cannot be shared out: a layer loses at most "
            f"{MOST:g} of its channels; give an amount above 0 and at most that"
        )
    cost, by_cost = _cost(request)
    loss = loss_of(request.model, request.context.task)
    request.context.progress(f"amounts: {loss.described}; {by_cost}")
    layers = [_tried(request, name, cost, loss) for name in request.layers]
    if not any(each.cost for each in layers):
        raise PassRejected(
            f"no layer saves {cost.unit} when it is cut by {request.amount:.0%} ({by_cost}): "
            "choose a larger amount, or widths that suit the device better (round_to)"
        )
    amounts = assign(layers, request.amount, _spared(request, layers))
    _tell(request, layers, amounts, cost)
    return LayerAmounts(amounts, _summary(amounts, by_cost, loss))


def _cost(request: AmountRequest) -> tuple[Cost, str]:
    """And what it is, in words."""
    task = request.context.task
    if request.how == "sensitivity":
        return macs_cost(request.model, task), "multiply-accumulates saved"
    if request.context.devices is None:
        raise PassRejected(
            "amounts by profile need a device to measure on; build with trimtab compress or "
            "trimtab run, or choose amounts by sensitivity"
        )
    device = request.context.devices(request.device or "")
    cut = request.prune(request.model, dict.fromkeys(request.layers, request.amount)).eval()
    cost, times = time_cost(request.model, cut, task, device)
    return cost, (
        f"time saved, as measured on {device.name}: {times} with every layer cut by "
        f"{request.amount:.0%}"
    )


def _tried(request: AmountRequest, name: str, cost: Cost, loss: Loss) -> Layer:
    """The layer alone pruned. Its cost is of the whole layer, going by what the cuts saved."""
    saved, lost = 0.0, []
    for share in _TRIED:
        pruned = request.prune(request.model, {name: share}).eval()
        saved += cost.saved(pruned)
        lost.append((share, loss.of(pruned)))
    layer = Layer(name, max(0.0, saved / sum(_TRIED)), tuple(lost))
    shown = ", ".join(f"{each:.4g} at {share:.0%}" for share, each in lost)
    whole = cost.shown(layer.cost)
    request.context.progress(f"amounts: {name}: all of it is {whole}; loses {shown}")
    return layer


def _spared(request: AmountRequest, layers: Sequence[Layer]) -> frozenset[str]:
    """A layer that takes next to no time is not worth its loss."""
    if request.how == "sensitivity":
        return frozenset()
    mean = sum(each.cost for each in layers) / len(layers)
    return frozenset(each.name for each in layers if each.cost < _NEGLIGIBLE * mean)


def _tell(
    request: AmountRequest, layers: Sequence[Layer], amounts: Mapping[str, float], cost: Cost
) -> None:
    for each in layers:
        share = amounts[each.name]
        request.context.progress(
            f"amounts: {each.name}: {share:.0%} of its channels go, "
            f"about {cost.shown(share * each.cost)}"
        )


def _summary(amounts: Mapping[str, float], by_cost: str, loss: Loss) -> str:
    least, most = (pick(amounts, key=lambda name: amounts[name]) for pick in (min, max))
    return (
        f"shares by {by_cost}; and by {loss.described}; from {amounts[least]:.0%} ({least}) to "
        f"{amounts[most]:.0%} ({most})"
    )
