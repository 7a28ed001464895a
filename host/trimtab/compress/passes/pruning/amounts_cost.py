"""What a pruned model saves: multiply-accumulates, or time on the device."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from trimtab.compress.device import TargetDevice
from trimtab.task import Task

if TYPE_CHECKING:
    from torch import nn

Unit = Literal["MACs", "ms"]
_WHOLE = ""
_FLOPS_PER_MAC = 2


class Cost:
    """``prices``: what is saved where a module has no multiply-accumulates left; with fewer, as
    much less."""

    def __init__(
        self, task: Task, macs: Mapping[str, float], prices: Mapping[str, float], unit: Unit
    ) -> None:
        self.unit = unit
        self._task = task
        self._macs = macs
        self._prices = prices

    def saved(self, pruned: nn.Module) -> float:
        left = macs_of_modules(pruned, self._task)
        return sum(
            price * (1 - left.get(name, 0.0) / self._macs[name])
            for name, price in self._prices.items()
        )

    def shown(self, cost: float) -> str:
        return f"{cost:.4f} ms" if self.unit == "ms" else f"{cost / 1e6:.3g} M MACs"


def macs_cost(model: nn.Module, task: Task) -> Cost:
    macs = macs_of_modules(model, task)
    return Cost(task, macs, {_WHOLE: macs[_WHOLE]}, "MACs")


def time_cost(
    model: nn.Module, cut: nn.Module, task: Task, device: TargetDevice
) -> tuple[Cost, str]:
    """``cut``: the model with fewer channels everywhere. How much faster each layer is in it tells
    what its channels cost: less than in proportion, or nothing, where the device does not like
    their number. Told in words too. Raises PassRejected.
    """
    macs, macs_left = macs_of_modules(model, task), macs_of_modules(cut, task)
    whole = _by_counted(device.layer_times(model, task), macs)
    left = _by_counted(device.layer_times(cut, task), macs)
    prices = {
        name: _price(ms, left.get(name, 0.0), macs_left.get(name, 0.0) / macs[name])
        for name, ms in whole.items()
    }
    totals = (sum(whole.values()), sum(left.values()))
    return Cost(task, macs, prices, "ms"), "{:.3f} ms whole, {:.3f} ms".format(*totals)


def _price(whole_ms: float, left_ms: float, macs_left: float) -> float:
    """What was not cut is priced in proportion: it was not seen to be otherwise."""
    return (whole_ms - left_ms) / (1 - macs_left) if macs_left < 1 else whole_ms


def _by_counted(times: Mapping[str, float], macs: Mapping[str, float]) -> dict[str, float]:
    """A module's own; or of that around it which computes with its weights (attention)."""
    found: dict[str, float] = {}
    for layer, ms in times.items():
        name = layer
        while name and not macs.get(name):
            name = name.rpartition(".")[0]
        found[name] = found.get(name, 0.0) + ms
    return found


def macs_of_modules(model: nn.Module, task: Task) -> dict[str, float]:
    """Of one inference of the example inputs, by module, those inside it included; "" is all.

    Of convolutions and matrix products, those of plain functions too.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with torch.no_grad(), _attention_in_parts(), counter:
        model(*task.example_inputs)
    root = type(model).__name__
    found = {_WHOLE: counter.get_total_flops() / _FLOPS_PER_MAC}
    for name, by_operator in counter.get_flop_counts().items():
        if name.startswith(f"{root}."):
            found[name.removeprefix(f"{root}.")] = sum(by_operator.values()) / _FLOPS_PER_MAC
    return found


@contextmanager
def _attention_in_parts() -> Iterator[None]:
    """The counter does not know torch's one operator for all of it."""
    import torch

    was = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(was)
