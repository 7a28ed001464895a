"""The inputs of a model file, as its own runtime names them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trimtab.onnx_session import cpu_session
from trimtab.records import UserError
from trimtab.runtime_words import plain_reason

_LIBRARIES = {"onnx": "ONNX Runtime", "tflite": "LiteRT"}
_ONNX_TYPES = {"float": "float32", "double": "float64"}
_LONGEST_REASON = 200


@dataclass(frozen=True)
class ModelInput:
    """``shape``: -1 is an open dimension. ``quantized``: it takes real values, stored by a scale"""

    name: str
    dtype: npt.DTypeLike
    shape: tuple[int, ...]
    quantized: bool = False

    @property
    def rows(self) -> int:
        """Of one run: the first axis of the file, 1 where it is open."""
        return max(self.shape[0], 1) if self.shape else 1

    @property
    def example(self) -> npt.NDArray[Any]:
        """Zeros, of one run; an open dimension is 1."""
        shape = tuple(max(size, 1) for size in self.shape)
        return np.zeros(shape, np.float32 if self.quantized else self.dtype)

    @property
    def open_axes(self) -> tuple[int, ...]:
        """But for the first one, which is the batch's."""
        return tuple(axis for axis, size in enumerate(self.shape) if size < 0 and axis)


def model_inputs(path: Path, model_format: str) -> tuple[ModelInput, ...]:
    """In the file's order. Raises UserError for a file that its runtime does not load."""
    read = {"onnx": _onnx_inputs, "tflite": _tflite_inputs}[model_format]
    try:
        return read(path)
    except UserError:
        raise
    except Exception as error:  # runtimes raise their own kinds
        raise UserError(
            f"{path}: {_LIBRARIES[model_format]} does not load it: {_reason(error)}",
            "is the file whole, and made of operators that the runtime has?",
        ) from error


def rows_of_file(path: Path, model_format: str) -> Mapping[str, int]:
    """How many samples of each input make one run: more than 1 where the batch is fixed."""
    return {each.name: each.rows for each in model_inputs(path, model_format)}


def _onnx_inputs(path: Path) -> tuple[ModelInput, ...]:
    session = cpu_session(path, optimized=False)
    return tuple(
        ModelInput(each.name, _onnx_dtype(path, each.name, each.type), _sizes(each.shape))
        for each in session.get_inputs()
    )


def _sizes(shape: list[Any]) -> tuple[int, ...]:
    return tuple(size if isinstance(size, int) and size >= 0 else -1 for size in shape)


def _onnx_dtype(path: Path, name: str, kind: str) -> np.dtype[Any]:
    plain = kind.removeprefix("tensor(").removesuffix(")")
    try:
        return np.dtype(_ONNX_TYPES.get(plain, plain))
    except TypeError as error:
        raise UserError(
            f"{path}: input {name} is of type {kind}, not a tensor of numbers",
            "only tensors of numbers can be put in",
        ) from error


def _tflite_inputs(path: Path) -> tuple[ModelInput, ...]:
    """Named as in the file's signature where it has one."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    names: dict[int, str] = {}
    if len(interpreter.get_signature_list()) == 1:
        runner = interpreter.get_signature_runner(None)
        names = {each["index"]: name for name, each in runner.get_input_details().items()}
    return tuple(
        ModelInput(
            names.get(each["index"], each["name"]),
            np.dtype(each["dtype"]),
            tuple(int(size) for size in each["shape_signature"]),
            bool(each["quantization"][0]),
        )
        for each in interpreter.get_input_details()
    )


def _reason(error: Exception) -> str:
    text = plain_reason(error) or type(error).__name__
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}..."
