"""How much each unit matters, by one of five measures; the least are removed."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from trimtab.compress.passes.base import PassRejected
from trimtab.compress.passes.pruning.couplings import Coupling, Slice, Unit, tensors_of
from trimtab.task import Task, as_tensors

if TYPE_CHECKING:
    from torch import Tensor, nn

Importance = Literal["l1", "l2", "bn-scale", "taylor", "activation"]
# By coupling, one score a unit. Scores of different couplings can be compared.
Scores = Mapping[str, "Tensor"]
_TAYLOR_BATCHES = 8
_CALIBRATION_BATCH = 64
CALIBRATION_SAMPLES = 256


def scores(
    model: nn.Module, couplings: Sequence[Coupling], importance: Importance, task: Task
) -> Scores:
    """Raises PassRejected, UserError."""
    if importance == "taylor":
        return _taylor(model, couplings, task)
    if importance == "activation":
        return _activations(model, couplings, task)
    if importance == "bn-scale":
        return _batch_norm_scales(model, couplings)
    return _magnitudes(model, couplings, power=1 if importance == "l1" else 2)


def _magnitudes(model: nn.Module, couplings: Sequence[Coupling], power: int) -> Scores:
    """Norms of what makes a unit and of what reads it, each relative to its layer's others."""
    norms = _Sums(model, lambda weight: weight.detach().abs() ** power)
    found = {}
    for each in couplings:
        per_tensor = [
            _relative(sums ** (1 / power))
            for name, sums in norms.by_tensor(each.units).items()
            if norms.is_matrix(name)
        ]
        found[each.name] = _mean(per_tensor)
    return found


def _batch_norm_scales(model: nn.Module, couplings: Sequence[Coupling]) -> Scores:
    """Liu et al., 2017, arXiv:1708.06519."""
    import torch

    norms = {
        f"{name}.weight"
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm)
    }
    sizes = _Sums(model, lambda weight: weight.detach().abs())
    found = {}
    for each in couplings:
        scales = [s for name, s in sizes.by_tensor(each.units).items() if name in norms]
        if not scales:
            raise PassRejected(
                f"importance bn-scale ranks by batch norm, and none follows layer {each.name}; "
                "add it to keep, or take another importance"
            )
        found[each.name] = _relative(_mean(scales))
    return found


def _taylor(model: nn.Module, couplings: Sequence[Coupling], task: Task) -> Scores:
    """How the loss would change to first order (Molchanov et al., 2019, arXiv:1906.10771).

    A unit is gone when the weights that read it are zero.
    """
    import torch

    probe = copy.deepcopy(model).eval()
    for parameter in probe.parameters():
        parameter.requires_grad_(parameter.is_floating_point())
    total: dict[str, Tensor] = {}
    for inputs, targets in islice(task.train_batches(), _TAYLOR_BATCHES):
        probe.zero_grad()
        with torch.enable_grad():
            loss = task.loss(probe(*as_tensors(inputs)), as_tensors(targets)[0])
            torch.autograd.backward(loss)
        products = _Sums(probe, lambda weight: weight.detach() * weight.grad)
        for each in couplings:
            change = torch.stack([products.over(unit.read) for unit in each.units]).abs()
            total[each.name] = total.get(each.name, torch.zeros_like(change)) + change
    if not total:
        raise PassRejected("train_data() gives no batch; give at least one")
    return total


def _activations(model: nn.Module, couplings: Sequence[Coupling], task: Task) -> Scores:
    """Mean size of what the next layers read of a unit."""
    import torch

    probe = copy.deepcopy(model).eval()
    readers = {each.layer for c in couplings for unit in c.units for each in unit.inputs}
    sums: defaultdict[str, Any] = defaultdict(float)
    arrays = task.calibration(CALIBRATION_SAMPLES)
    with torch.no_grad(), ExitStack() as hooks:
        for name, module in probe.named_modules():
            if name in readers:
                hooks.callback(module.register_forward_pre_hook(_adding(sums, name)).remove)
        for start in range(0, max(map(len, arrays)), _CALIBRATION_BATCH):
            batch = (each[start : start + _CALIBRATION_BATCH] for each in arrays)
            probe(*as_tensors(tuple(batch)))
    return {each.name: _relative(_activation_scores(each.units, sums)) for each in couplings}


def _adding(sums: defaultdict[str, Any], name: str) -> Callable[..., None]:
    import torch

    def hook(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        axis = given[0].ndim - 1 if isinstance(module, torch.nn.Linear) else 1
        others = [each for each in range(given[0].ndim) if each != axis]
        sums[name] = sums[name] + given[0].abs().mean(others)

    return hook


def _activation_scores(units: Sequence[Unit], sums: Mapping[str, Tensor]) -> Tensor:
    import torch

    return torch.stack(
        [torch.stack([sums[i.layer][i.channel] for i in unit.inputs]).mean() for unit in units]
    )


class _Sums:
    """Of a value of each weight, over everything in a unit, tensor by tensor."""

    def __init__(self, model: nn.Module, value: Callable[[Any], Tensor]) -> None:
        self._tensors: dict[str, Any] = dict(tensors_of(model))
        self._value = value
        self._along: dict[tuple[str, int], Tensor] = {}

    def is_matrix(self, name: str) -> bool:
        return bool(self._tensors[name].ndim > 1)

    def over(self, slices: Iterable[Slice]) -> Tensor:
        import torch

        return sum((self._sum(each) for each in slices), torch.zeros(()))

    def by_tensor(self, units: Sequence[Unit]) -> dict[str, Tensor]:
        """One sum a unit. A tensor of which some units have no part is left out."""
        import torch

        parts: defaultdict[str, list[Tensor]] = defaultdict(list)
        for unit in units:
            of_unit: dict[str, Tensor] = {}
            for each in unit.slices:
                if self._is_trained(each.tensor):
                    of_unit[each.tensor] = of_unit.get(each.tensor, 0) + self._sum(each)
            for name, value in of_unit.items():
                parts[name].append(value)
        whole = {name: values for name, values in parts.items() if len(values) == len(units)}
        return {name: torch.stack(values) for name, values in whole.items()}

    def _is_trained(self, name: str) -> bool:
        import torch

        return isinstance(self._tensors[name], torch.nn.Parameter)

    def _sum(self, each: Slice) -> Tensor:
        key = (each.tensor, each.axis)
        if key not in self._along:
            values = self._value(self._tensors[each.tensor])
            others = [axis for axis in range(values.ndim) if axis != each.axis]
            self._along[key] = values.sum(others) if others else values
        return self._along[key][each.position]


def _relative(values: Tensor) -> Tensor:
    return values / values.mean().clamp_min(1e-12)


def _mean(values: Sequence[Tensor]) -> Tensor:
    import torch

    return torch.stack(list(values)).mean(0)
