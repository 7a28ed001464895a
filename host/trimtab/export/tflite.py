"""torch -> .tflite, checked in LiteRT."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

from trimtab.export.base import Exporter, ExportRequest
from trimtab.export.tflite_runs import run_beside
from trimtab.task import Arrays, NamedArrays, as_tensors

if TYPE_CHECKING:
    from torch import Tensor, nn


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
        """In a process of its own: LiteRT has aborted on files that it does not take."""
        return run_beside(path, inputs)


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
