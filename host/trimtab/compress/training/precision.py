"""In which numbers a training multiplies; weights, sums and the optimizer stay float32."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

Precision = Literal["float32", "bfloat16"]


def multiplying_in(precision: Precision, device_type: str) -> AbstractContextManager[Any]:
    """torch's autocast, which picks the operators that lose nothing by it."""
    import torch

    if precision == "float32":
        return nullcontext()
    return torch.autocast(device_type, torch.bfloat16)


def as_float32(values: Any) -> Any:
    """Its tensors of bfloat16; containers keep their types, and all else is as it is."""
    import torch
    from torch.utils._pytree import tree_map

    def widened(each: Any) -> Any:
        is_half = isinstance(each, torch.Tensor) and each.dtype == torch.bfloat16
        return each.float() if is_half else each

    return tree_map(widened, values)
