"""Channels that a model adds by padding with zeros (ResNet's option A), as a graph can follow them.

torch-pruning takes a padding for an operation that leaves channels where they are. While the model
is traced, layers stand in for the zeros, and their outputs are put beside the real channels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from torch.nn import functional
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

_PREFIX = "trimtab_padding_"
_CHANNELS = 1
_FEWEST_AXES = 4  # with fewer, the second axis need not be that of channels
_Replace = Callable[["Tensor", list[int], int], "Tensor"]


def is_padding(name: str) -> bool:
    """Whether the layer of this name only stands in for zeros."""
    return name.startswith(_PREFIX)


@contextmanager
def traceable_padding(model: nn.Module, run: Callable[[], Any]) -> Iterator[None]:
    """``model`` gets the layers that stand in, one or two a padding, as ``run`` meets them."""
    import torch

    made: list[nn.Module] = []

    def note(given: Tensor, rest: list[int], before: int) -> Tensor:
        after = rest.pop()
        for count in (before, after):
            layer = {4: torch.nn.Conv2d, 5: torch.nn.Conv3d}[given.ndim]
            stand_in = layer(given.shape[_CHANNELS], count, 1) if count else torch.nn.Identity()
            made.append(stand_in.to(given.device, given.dtype))
        return functional.pad(given, (*rest, before, after))

    with _Paddings(note), torch.no_grad():
        run()
    for index, stand_in in enumerate(made):
        model.add_module(f"{_PREFIX}{index}", stand_in)
    waiting = iter(made)

    def replaced(given: Tensor, rest: list[int], before: int) -> Tensor:
        rest.pop()
        inner = functional.pad(given, rest) if any(rest) else given
        first, last = next(waiting), next(waiting)
        parts = [first(inner)] if before else []
        parts.append(inner)
        if not isinstance(last, torch.nn.Identity):
            parts.append(last(inner))
        return torch.cat(parts, _CHANNELS)

    with _Paddings(replaced):
        yield


class _Paddings(TorchFunctionMode):
    """Calls ``replace(input, padding, channels before)`` for each that adds channels.

    The last of ``padding`` is the number of channels added behind.
    """

    def __init__(self, replace: _Replace) -> None:
        super().__init__()
        self._replace = replace

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        if func is functional.pad and given.get("mode", "constant") == "constant":
            padding = list(args[1] if len(args) > 1 else given["pad"])
            source: torch.Tensor = args[0] if args else given["input"]
            if self._adds_channels(source, padding):
                *rest, before, after = padding[: 2 * (source.ndim - _CHANNELS)]
                return self._replace(source, [*rest, after], before)
        return func(*args, **given)

    @staticmethod
    def _adds_channels(source: Tensor, padding: list[int]) -> bool:
        if source.ndim < _FEWEST_AXES or not source.is_floating_point():
            return False
        at = 2 * (source.ndim - 1 - _CHANNELS)
        added = padding[at : at + 2]
        return len(padding) == at + 2 and min(added) >= 0 and max(added) > 0
