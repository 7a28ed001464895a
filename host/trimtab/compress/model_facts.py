"""Parameters, multiply-accumulates and zeros of a torch model."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from trimtab.compress.quantized_model import QuantizedModel
from trimtab.records import ModelFacts

if TYPE_CHECKING:
    from torch import Tensor

_aten = torch.ops.aten
_QUANTIZED = (torch.int8, torch.uint8)
# Operators that add up products and that torch's counter has no formula for.
_UNCOUNTED = ("fft", "trilinear", "rnn", "lstm", "gru", "cdist", "attention", "pack_mm")
_KNOWN_LIBRARIES = ("aten", "prim", "prims", "profiler", "quantized_decomposed")


def model_facts(model: nn.Module, example_inputs: tuple[Tensor, ...]) -> ModelFacts:
    """``example_inputs``: one sample. The model is in eval mode, and stays as it is."""
    weights = list(_once_each(_weights(model)))
    count = sum(weight.numel() for weight in weights)
    unknown = {}
    macs, reason = _macs(model, example_inputs)
    if reason:
        unknown["macs"] = reason
    sparsity = None
    if count:
        zeros = sum(weight.numel() - int(weight.count_nonzero()) for weight in weights)
        sparsity = zeros / count
    else:
        unknown["sparsity"] = "the model has no parameters"
    return ModelFacts(count, macs, sparsity, unknown)


def _weights(model: nn.Module) -> Iterator[Tensor]:
    """A quantized model's are int8, with a zero point of 0, and its biases float."""
    if not isinstance(model, QuantizedModel):
        yield from model.parameters()
        return
    folded = model.converted(fold_weights=True)
    yield from folded.parameters()
    yield from (each for each in folded.buffers() if each.dtype in _QUANTIZED)


def _once_each(weights: Iterable[Tensor]) -> Iterator[Tensor]:
    """Layers may share their weights as one parameter, or as two of the same memory."""
    seen = set()
    for weight in weights:
        data = weight.detach()
        place = (data.data_ptr(), tuple(data.shape), data.stride())
        if place not in seen:
            seen.add(place)
            yield data


def _macs(model: nn.Module, example_inputs: tuple[Tensor, ...]) -> tuple[int | None, str]:
    """Of convolutions and matrix products, those of attention too; else why not."""
    watched = _Operators()
    counter = FlopCounterMode(display=False, custom_mapping=_PRODUCTS)
    try:
        with torch.no_grad(), _taken_apart(), watched, counter:
            model(*example_inputs)
    except Exception as error:  # a user's forward raises anything
        return None, f"the model does not run under torch's counter: {type(error).__name__}"
    if watched.uncounted:
        return None, f"torch's counter does not know {watched.uncounted}"
    return int(counter.get_total_flops()) // 2, ""


class _Operators(TorchDispatchMode):
    """Notes the first operator whose products would go uncounted."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.uncounted = ""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        library, _, name = str(func).partition(".")
        if not self.uncounted and _is_uncounted(library, name):
            self.uncounted = f"{library}::{name.partition('.')[0]}"
        return func(*args, **(kwargs or {}))


def _is_uncounted(library: str, name: str) -> bool:
    if library not in _KNOWN_LIBRARIES:
        return "quantize" not in name
    return any(part in name for part in _UNCOUNTED)


@contextmanager
def _taken_apart() -> Iterator[None]:
    """Attention and recurrent layers as the products they consist of, not as one operator."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    fast_attention = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of TF32, on setting a flag that has to do with it
            with sdpa_kernel(SDPBackend.MATH), torch.backends.mkldnn.flags(enabled=False):
                yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_attention)


def _dot_flops(a: Any, b: Any, *rest: Any, out_shape: Any = None, **_: Any) -> int:
    return int(2 * a[0])


def _matrix_vector_flops(a: Any, b: Any, *rest: Any, out_shape: Any = None, **_: Any) -> int:
    return int(2 * a[0] * a[1])


def _added_flops(c: Any, a: Any, b: Any, *rest: Any, out_shape: Any = None, **_: Any) -> int:
    return _matrix_vector_flops(a, b)


def _integer_flops(a: Any, b: Any, *rest: Any, out_shape: Any = None, **_: Any) -> int:
    return int(2 * a[0] * a[1] * b[1])


_PRODUCTS = {
    _aten.dot: _dot_flops,
    _aten.vdot: _dot_flops,
    _aten.mv: _matrix_vector_flops,
    _aten.addmv: _added_flops,
    _aten._int_mm: _integer_flops,
}
