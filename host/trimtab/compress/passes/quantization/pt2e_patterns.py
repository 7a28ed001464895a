"""torchao's patterns, traced once in a process, and those alone that can occur in the graph.

Traced anew for every model, for each kind of convolution, they take nine tenths of preparing and
converting a small one: `docs/training.md` has the figures.
"""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable, Hashable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

if TYPE_CHECKING:
    import torch

_TRACE = "_get_aten_graph_module_for_pattern"
_TRACING = (
    "torchao.quantization.pt2e.qat_utils",
    "executorch.backends.xnnpack.quantizer.xnnpack_quantizer_utils",
)
_OF_ONE_KIND = ("_fuse_conv_bn_qat_helper", "_fold_conv_bn_qat_helper")
_traced: dict[Hashable, Any] = {}


@contextmanager
def patterns_traced_once() -> Iterator[None]:
    """Where the libraries have no such functions any more, all is as they have it."""
    with ExitStack() as stack:
        for name in _TRACING:
            module = importlib.import_module(name)
            if hasattr(module, _TRACE):
                stack.enter_context(patch.object(module, _TRACE, _once(getattr(module, _TRACE))))
        qat = importlib.import_module(_TRACING[0])
        for name in _OF_ONE_KIND:
            if hasattr(qat, name):
                stack.enter_context(patch.object(qat, name, _if_there(getattr(qat, name))))
        yield


def _once(trace: Callable[..., Any]) -> Callable[..., Any]:
    def traced(pattern: Any, *arguments: Any, **named: Any) -> Any:
        try:
            key = (_identity(pattern), _identity(arguments), _identity(named))
            hash(key)
        except TypeError:
            return trace(pattern, *arguments, **named)
        if key not in _traced:
            _traced[key] = trace(pattern, *arguments, **named)
        return copy.deepcopy(_traced[key])  # matching changes the graph

    return traced


def _if_there(work: Callable[..., Any]) -> Callable[..., Any]:
    def of_kind(
        graph: torch.fx.GraphModule, convolution: Any, *arguments: Any, **named: Any
    ) -> Any:
        operator = f"aten.{convolution.__name__}."
        if not any(str(node.target).startswith(operator) for node in graph.graph.nodes):
            return graph
        return work(graph, convolution, *arguments, **named)

    return of_kind


def _identity(value: Any) -> Hashable:
    """Of a pattern: its code and all that it closes over; of a tensor: what tracing sees of it."""
    import torch

    if isinstance(value, torch.Tensor):
        return (tuple(value.shape), str(value.dtype), str(value.device))
    if isinstance(value, torch.nn.Module):  # a wrapper around the function
        return (type(value), _identity(value.fn))
    if isinstance(value, tuple | list):
        return tuple(_identity(each) for each in value)
    if isinstance(value, dict):
        return tuple((name, _identity(each)) for name, each in sorted(value.items()))
    if hasattr(value, "__code__"):
        cells = value.__closure__ or ()
        return (value.__code__, tuple(_identity(each.cell_contents) for each in cells))
    return value  # type: ignore[no-any-return]
