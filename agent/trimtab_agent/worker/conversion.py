"""Between real values and what a model's tensors store."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab_agent.runtimes.base import ModelRefused, TensorSpec

Array = NDArray[Any]


def to_tensor(array: Array, spec: TensorSpec) -> Array:
    """An array of the input's dtype as it is; any other holds real values and is converted.

    Quantized inputs: round(real / scale) + zero_point, clipped. Floats are cast. Integers must fit.
    """
    dtype = np.dtype(spec.info.dtype)
    if array.dtype == dtype:
        return np.ascontiguousarray(array)
    if array.dtype.kind not in "biuf":
        raise ModelRefused(
            f"input {spec.name!r} wants {dtype.name}, the file holds {array.dtype}: "
            "only numbers can be converted"
        )
    if spec.quantization is not None:
        return _quantize(array, spec.quantization.scale, spec.quantization.zero_point, dtype)
    if dtype.kind == "f":
        return np.ascontiguousarray(array.astype(dtype))
    return _cast_integers(array, dtype, spec.name)


def to_real(array: Array, spec: TensorSpec) -> Array:
    """Dequantized float32; integers without a scale (labels, indices) stay as they are."""
    if spec.quantization is not None:
        quantization = spec.quantization
        shifted: Array = array.astype(np.float32) - np.float32(quantization.zero_point)
        return np.multiply(shifted, np.float32(quantization.scale), dtype=np.float32)
    return array.astype(np.float32) if array.dtype.kind == "f" else array


def _quantize(array: Array, scale: float, zero_point: int, dtype: np.dtype[Any]) -> Array:
    bounds = np.iinfo(dtype)
    stored = np.round(array.astype(np.float32) / np.float32(scale)) + zero_point
    clipped: Array = np.clip(stored, bounds.min, bounds.max)
    return clipped.astype(dtype)


def _cast_integers(array: Array, dtype: np.dtype[Any], name: str) -> Array:
    if array.dtype.kind == "f":
        raise ModelRefused(
            f"input {name!r} wants {dtype.name} without a scale, the file holds {array.dtype}: "
            f"save it as {dtype.name}"
        )
    cast = array.astype(dtype)
    if not np.array_equal(cast, array):
        raise ModelRefused(
            f"input {name!r} wants {dtype.name}; values of the file do not fit in it"
        )
    return np.ascontiguousarray(cast)
