"""What layers gave in a model's last run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn


class Recording:
    """Outputs by the layers' names, in the order of the calls; of the model's last run alone."""

    def __init__(self, model: nn.Module, names: Sequence[str]) -> None:
        self._layers = {name: model.get_submodule(name) for name in names}
        every = model.named_modules(remove_duplicate=False)
        self._names: dict[int, list[str]] = {}
        for name, layer in every:
            self._names.setdefault(id(layer), []).append(name)
        self._calls: dict[int, list[Any]] = {}

    def outputs(self, name: str) -> list[Any]:
        """Where one layer stands under several names, each name has its own calls."""
        layer = self._layers[name]
        names = self._names[id(layer)]
        return self._calls.get(id(layer), [])[names.index(name) :: len(names)]

    def clear(self) -> None:
        self._calls.clear()

    @property
    def layers(self) -> list[nn.Module]:
        return list({id(each): each for each in self._layers.values()}.values())

    def add(self, layer: nn.Module, output: Any) -> None:
        self._calls.setdefault(id(layer), []).append(output)


@contextmanager
def recording(model: nn.Module, names: Sequence[str]) -> Iterator[Recording]:
    """The model is without hooks afterwards."""
    record = Recording(model, names)

    # Functions: copying a model copies its hooks, and these are copied as what they are.
    def begin(model: nn.Module, inputs: Any) -> None:
        record.clear()

    def keep(layer: nn.Module, inputs: Any, output: Any) -> None:
        record.add(layer, output)

    handles = [model.register_forward_pre_hook(begin)]
    try:
        handles += [each.register_forward_hook(keep) for each in record.layers]
        yield record
    finally:
        for each in handles:
            each.remove()
        record.clear()
