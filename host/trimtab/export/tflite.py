"""torch -> .tflite, checked in LiteRT."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from trimtab.export.base import Exporter, ExportRequest
from trimtab.task import Arrays, NamedArrays, as_tensors, joined_runs, single_samples

if TYPE_CHECKING:
    from torch import Tensor, nn

Array = npt.NDArray[Any]


class TfliteExporter(Exporter):
    format: ClassVar[str] = "tflite"
    suffix: ClassVar[str] = ".tflite"
    modules: ClassVar[tuple[str, ...]] = ("torch", "litert_torch", "ai_edge_litert")
    run_modules: ClassVar[tuple[str, ...]] = ("ai_edge_litert",)

    def export(self, request: ExportRequest, target: Path) -> str:
        """Always with a batch of 1: the converter fixes shapes."""
        import litert_torch

        inputs = dict(zip(request.input_names, request.example_inputs, strict=True))
        litert_torch.convert(
            _named(_convertible(request), request.output_names).eval(),
            sample_kwargs=inputs,
            quant_config=_static_int8() if request.quantized else None,
        ).export(str(target))
        return f"exported to .tflite with litert-torch {version('litert-torch')}, batch of 1"

    def run(self, path: Path, inputs: NamedArrays) -> Arrays:
        """Inputs go in by their order in the file, as on a device, where only that is known."""
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model_path=str(path), num_threads=1)
        interpreter.allocate_tensors()
        shapes = [detail["shape"] for detail in interpreter.get_input_details()]
        rows = {
            name: int(shape[0]) for name, shape in zip(inputs, shapes, strict=True) if len(shape)
        }
        samples = single_samples(inputs, rows)
        return joined_runs([_run_once(interpreter, sample) for sample in samples])


def _convertible(request: ExportRequest) -> nn.Module:
    """The converter folds int8 weights itself, and reads them only where it did."""
    from trimtab.compress.quantized_model import QuantizedModel

    if isinstance(request.model, QuantizedModel):
        return request.model.converted(fold_weights=False)
    return request.model


def _static_int8() -> Any:
    """Its own class wants litert-torch's quantizer, of which it reads this one setting."""
    from litert_torch.quantize.quant_config import QuantConfig

    config = SimpleNamespace(is_dynamic=False)
    return QuantConfig(pt2e_quantizer=SimpleNamespace(global_config=config))


def _named(model: nn.Module, output_names: tuple[str, ...]) -> nn.Module:
    """The model with inputs by keyword and outputs in a dictionary: the names go into the file."""
    from torch import nn

    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def train(self, mode: bool = True) -> Named:
            """Not passed on: ``model`` is in eval mode, which torch.export's own forbid to set."""
            self.training = mode
            return self

        def forward(self, **inputs: Tensor) -> dict[str, Tensor]:
            outputs = as_tensors(self.model(*inputs.values()))
            return dict(zip(output_names, outputs, strict=True))

    return Named()


def _run_once(interpreter: Any, sample: NamedArrays) -> Arrays:
    details = interpreter.get_input_details()
    if _resized(interpreter, details, sample):
        details = interpreter.get_input_details()
    for detail, array in zip(details, sample.values(), strict=True):
        interpreter.set_tensor(detail["index"], _to_stored(array, detail))
    interpreter.invoke()
    return tuple(
        _to_real(interpreter.get_tensor(detail["index"]), detail)
        for detail in interpreter.get_output_details()
    )


def _resized(interpreter: Any, details: list[dict[str, Any]], sample: NamedArrays) -> bool:
    """Open dimensions take the sample's size."""
    other = [
        (detail["index"], array.shape)
        for detail, array in zip(details, sample.values(), strict=True)
        if array.shape != tuple(detail["shape"]) and -1 in detail["shape_signature"]
    ]
    for index, shape in other:
        interpreter.resize_tensor_input(index, shape)
    if other:
        interpreter.allocate_tensors()
    return bool(other)


def _to_stored(array: Array, detail: dict[str, Any]) -> Array:
    scale, zero_point = detail["quantization"]
    dtype = np.dtype(detail["dtype"])
    if not scale:
        return array.astype(dtype)
    limits = np.iinfo(dtype)
    steps = np.round(array / scale) + zero_point
    return np.asarray(np.clip(steps, limits.min, limits.max).astype(dtype))


def _to_real(array: Array, detail: dict[str, Any]) -> Array:
    scale, zero_point = detail["quantization"]
    if not scale:
        return np.asarray(array)
    return np.asarray((array.astype(np.float32) - zero_point) * np.float32(scale))
