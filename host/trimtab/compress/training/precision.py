"""In which numbers a training multiplies; weights, sums and the optimizer stay float32."""

from __future__ import annotations

from collections.abc import Mapping
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
    """Tensors of bfloat16, and those in tuples, lists and mappings; all else as it is."""
    import torch

    if isinstance(values, torch.Tensor):
        return values.float() if values.dtype == torch.bfloat16 else values
    if isinstance(values, Mapping):
        return {name: as_float32(each) for name, each in values.items()}
    if isinstance(values, tuple | list):
        return type(values)(as_float32(each) for each in values)
    return values
