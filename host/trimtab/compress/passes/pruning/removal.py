"""Units taken out of a model, or made to have no effect, which must give the same outputs."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from trimtab.compress.passes.pruning.couplings import Unit, tensors_of
from trimtab.compress.passes.pruning.heads import refresh_heads

if TYPE_CHECKING:
    from torch import Tensor, nn

# By tensor and axis, the positions.
Positions = Mapping[tuple[str, int], set[int]]


def without(model: nn.Module, units: Iterable[Unit]) -> nn.Module:
    """A smaller copy."""
    made = copy.deepcopy(model)
    positions = _positions(each for unit in units for each in unit.slices)
    named = dict(tensors_of(made))
    smaller = {name: named[name] for name, _ in positions}
    for (name, axis), gone in positions.items():
        smaller[name] = _cut(smaller[name], axis, gone)
    replacement = {id(named[name]): tensor for name, tensor in smaller.items()}
    for module in made.modules():
        _replace(module, replacement)
    refresh_heads(made)
    return made


def silenced(model: nn.Module, units: Iterable[Unit]) -> nn.Module:
    """A copy of the same shape, in which nothing reads the units."""
    import torch

    made = copy.deepcopy(model)
    named = dict(tensors_of(made))
    with torch.no_grad():
        for (name, axis), gone in _positions(e for unit in units for e in unit.read).items():
            tensor: Any = named[name]
            tensor.index_fill_(axis, torch.tensor(sorted(gone), device=tensor.device), 0)
    return made


def _positions(slices: Iterable[Any]) -> Positions:
    found: defaultdict[tuple[str, int], set[int]] = defaultdict(set)
    for tensor, axis, position in slices:
        found[tensor, axis].add(position)
    return found


def _cut(tensor: Any, axis: int, gone: set[int]) -> Tensor:
    import torch

    keep = [each for each in range(tensor.shape[axis]) if each not in gone]
    data: Tensor = tensor.detach().index_select(axis, torch.tensor(keep, device=tensor.device))
    if isinstance(tensor, torch.nn.Parameter):
        return torch.nn.Parameter(data, requires_grad=tensor.requires_grad)
    return data


def _replace(module: nn.Module, replacement: Mapping[int, Any]) -> None:
    """A tensor that layers share is replaced by one that they share again."""
    changed = False
    for tensors in (module._parameters, module._buffers):
        for name, tensor in tensors.items():
            if id(tensor) in replacement:
                tensors[name] = replacement[id(tensor)]
                changed = True
    if changed:
        _refresh(module)


def _refresh(module: Any) -> None:
    import torch

    if isinstance(module, torch.nn.modules.conv._ConvNd):
        _refresh_convolution(module)
    elif isinstance(module, torch.nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, torch.nn.Embedding):
        module.embedding_dim = module.weight.shape[1]
    elif isinstance(module, torch.nn.PReLU):
        module.num_parameters = module.weight.numel()
    elif hasattr(module, "num_features"):
        sized = module.running_mean if module.weight is None else module.weight
        module.num_features = len(sized)


def _refresh_convolution(module: nn.modules.conv._ConvNd) -> None:
    first, second = module.weight.shape[:2]
    if module.groups > 1 and module.groups == module.in_channels == module.out_channels:
        module.groups = module.in_channels = module.out_channels = first
    elif module.transposed:
        module.in_channels, module.out_channels = first, second * module.groups
    else:
        module.out_channels, module.in_channels = first, second * module.groups
