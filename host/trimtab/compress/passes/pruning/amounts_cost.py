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
    """``prices``: what modules cost. Each then costs less as it has fewer multiply-accumulates."""

    def __init__(
        self, model: nn.Module, task: Task, prices: Mapping[str, float], unit: Unit, described: str
    ) -> None:
        self.unit = unit
        self.described = described
        self._task = task
        self._macs = macs_of_modules(model, task)
        self._prices: dict[str, float] = {}
        for name, price in prices.items():
            counted = self._counted(name)
            self._prices[counted] = self._prices.get(counted, 0.0) + price

    def saved(self, pruned: nn.Module) -> float:
        left = macs_of_modules(pruned, self._task)
        return sum(
            price * (1 - left.get(name, 0.0) / self._macs[name])
            for name, price in self._prices.items()
        )

    def shown(self, cost: float) -> str:
        return f"{cost:.4f} ms" if self.unit == "ms" else f"{cost / 1e6:.3g} M MACs"

    def _counted(self, name: str) -> str:
        """The module itself, or that around it which computes with its weights (attention)."""
        while name and not self._macs.get(name):
            name = name.rpartition(".")[0]
        return name


def macs_cost(model: nn.Module, task: Task) -> Cost:
    prices = {_WHOLE: macs_of_modules(model, task)[_WHOLE]}
    return Cost(model, task, prices, "MACs", "multiply-accumulates saved")


def time_cost(model: nn.Module, task: Task, device: TargetDevice) -> Cost:
    """Raises PassRejected where the device cannot tell the layers' times."""
    prices = device.layer_times(model, task)
    described = f"time saved of {sum(prices.values()):.3f} ms in {len(prices)} layers as measured"
    return Cost(model, task, prices, "ms", f"{described} on {device.name}")


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
