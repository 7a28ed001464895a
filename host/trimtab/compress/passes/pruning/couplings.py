"""What is taken out together: slices of weights, joined wherever two layers have them in common."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from trimtab.compress.passes.pruning.tracing import Group, Touch

if TYPE_CHECKING:
    from torch import nn

_Key = TypeVar("_Key", bound=Hashable)


class Slice(NamedTuple):
    """One position along one axis of a parameter or buffer, by the name it has first."""

    tensor: str
    axis: int
    position: int


class Input(NamedTuple):
    """A channel that a layer reads."""

    layer: str
    channel: int


@dataclass(frozen=True)
class Unit:
    """The least that can be removed. ``made``: what makes it; ``read``: what uses it."""

    made: frozenset[Slice] = frozenset()
    read: frozenset[Slice] = frozenset()
    inputs: frozenset[Input] = frozenset()

    def __or__(self, other: Unit) -> Unit:
        return Unit(self.made | other.made, self.read | other.read, self.inputs | other.inputs)

    @property
    def slices(self) -> frozenset[Slice]:
        return self.made | self.read


@dataclass(frozen=True)
class Coupling:
    """Units that are ranked against each other, named after the first layer that makes them.

    ``layers``: all that make them. ``width``: how many of a layer's channels are one unit.
    ``reason``: why none of them can be removed, where that is known already. ``rounded``: the
    number of channels left is rounded.
    """

    name: str
    layers: tuple[str, ...]
    units: tuple[Unit, ...]
    width: int = 1
    reason: str = ""
    rounded: bool = True


def couplings_of(model: nn.Module, groups: Sequence[Group]) -> tuple[Coupling, ...]:
    import torch

    whole = _Joined(Slices(model), groups)
    order = {
        name: index
        for index, (name, module) in enumerate(model.named_modules())
        if isinstance(module, torch.nn.Linear | torch.nn.modules.conv._ConvNd)
    }
    return tuple(sorted(whole.couplings(order), key=lambda each: order[each.name]))


_Channel = tuple[str, int]  # of a group's root


class _Joined:
    """Channels of all groups, joined where they have a slice in common."""

    def __init__(self, slices: Slices, groups: Sequence[Group]) -> None:
        self._groups = {group.root: group for group in groups}
        self._parts = _Parts()
        self._units: defaultdict[_Channel, Unit] = defaultdict(Unit)
        for group in groups:
            for touch in group.touches:
                for position, channel in zip(touch.positions, touch.channels, strict=True):
                    self._add((group.root, channel), touch, position, slices.cut(touch, position))

    def _add(self, key: _Channel, touch: Touch, position: int, cut: Cut) -> None:
        for each in (*cut.made, *cut.read, *cut.ties):
            self._parts.join(key, each)
        read = {Input(touch.name, position)} if touch.side == "in" else ()
        self._units[key] |= Unit(frozenset(cut.made), frozenset(cut.read), frozenset(read))

    def couplings(self, order: Mapping[str, int]) -> Iterator[Coupling]:
        channels = [
            (name, k) for name, group in self._groups.items() for k in range(group.channels)
        ]
        parts = list(self._parts.sets(channels))
        together = _Parts()
        for part in parts:
            for root, _ in part:
                together.join(part[0][0], root)
        for roots in together.sets(self._groups):
            yield self._coupling(roots, [part for part in parts if part[0][0] in roots], order)

    def _coupling(
        self, roots: list[str], parts: list[list[_Channel]], order: Mapping[str, int]
    ) -> Coupling:
        fixed = {(root, k): why for root in roots for k, why in self._groups[root].fixed.items()}
        free = [part for part in parts if not any(key in fixed for key in part)]
        layers = dict.fromkeys(
            touch.name
            for root in roots
            for touch in self._groups[root].touches
            if touch.side == "out"
        )
        return Coupling(
            name=min(order.keys() & layers.keys(), key=lambda each: order[each]),
            layers=tuple(layers),
            units=tuple(reduce(or_, (self._units[key] for key in part)) for part in free),
            width=max((sum(root == roots[0] for root, _ in part) for part in free), default=1),
            reason="" if free else next(iter(fixed.values()), ""),
        )


class _Parts:
    """Disjoint sets."""

    def __init__(self) -> None:
        self._parent: dict[Hashable, Hashable] = {}

    def of(self, key: Hashable) -> Hashable:
        root = key
        while self._parent.setdefault(root, root) != root:
            root = self._parent[root]
        while self._parent[key] != root:
            self._parent[key], key = root, self._parent[key]
        return root

    def join(self, one: Hashable, other: Hashable) -> None:
        self._parent[self.of(other)] = self.of(one)

    def sets(self, keys: Iterable[_Key]) -> Iterable[list[_Key]]:
        found: dict[Hashable, list[_Key]] = {}
        for key in keys:
            found.setdefault(self.of(key), []).append(key)
        return found.values()


@dataclass(frozen=True)
class Cut:
    """``ties``: anything else that joins what has it in common."""

    made: tuple[Slice, ...] = ()
    read: tuple[Slice, ...] = ()
    ties: tuple[Hashable, ...] = ()


class Slices:
    """Which slices of a layer's tensors are one of its channels."""

    def __init__(self, model: nn.Module) -> None:
        self._modules = dict(model.named_modules())
        self._first: dict[int, str] = {}
        for name, tensor in tensors_of(model):
            self._first.setdefault(id(tensor), name)

    def cut(self, touch: Touch, position: int) -> Cut:
        import torch

        if touch.axis is not None:
            return Cut(made=(Slice(touch.name, touch.axis, position),))
        module = self._modules[touch.name]
        if isinstance(module, torch.nn.modules.conv._ConvNd):
            return self._convolution(touch, module, position)
        if isinstance(module, torch.nn.Linear):
            if touch.side == "in":
                return Cut(read=self._of(touch.name, ("weight",), 1, position))
            return Cut(made=self._of(touch.name, ("weight", "bias"), 0, position))
        if isinstance(module, torch.nn.Embedding):
            return Cut(made=self._of(touch.name, ("weight",), 1, position))
        if isinstance(module, torch.nn.PReLU) and module.num_parameters == 1:
            return Cut()
        vectors = ("weight", "bias", "running_mean", "running_var")
        return Cut(made=self._of(touch.name, vectors, 0, position))

    def _convolution(self, touch: Touch, module: nn.modules.conv._ConvNd, position: int) -> Cut:
        """Of groups, each loses the channel at the same place, so that they stay alike."""
        name, groups = touch.name, module.groups
        if groups == module.in_channels == module.out_channels and groups > 1:
            return Cut(made=self._of(name, ("weight", "bias"), 0, position))
        is_output = touch.side == "out"
        per_group = (module.out_channels if is_output else module.in_channels) // groups
        in_group = position % per_group
        axis = 0 if is_output != module.transposed else 1
        # PyTorch's weights have all channels along axis 0, and those of one group along axis 1.
        weight = self._of(name, ("weight",), axis, position if axis == 0 else in_group)
        ties = ((name, touch.side, in_group),) if groups > 1 else ()
        if not is_output:
            return Cut(read=weight, ties=ties)
        return Cut(made=(*weight, *self._of(name, ("bias",), 0, position)), ties=ties)

    def _of(
        self, layer: str, names: tuple[str, ...], axis: int, position: int
    ) -> tuple[Slice, ...]:
        module = self._modules[layer]
        tensors = [getattr(module, name, None) for name in names]
        return tuple(
            Slice(self._first[id(each)], axis, position) for each in tensors if each is not None
        )


def tensors_of(model: nn.Module) -> Iterator[tuple[str, object]]:
    """Parameters and buffers, a shared one by each of its names."""
    yield from model.named_parameters(remove_duplicate=False)
    yield from model.named_buffers(remove_duplicate=False)
