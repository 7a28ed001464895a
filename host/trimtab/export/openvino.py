"""torch -> ONNX -> OpenVINO's IR (.xml, its weights in a .bin beside it), checked in OpenVINO."""

from __future__ import annotations

import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from trimtab.export.base import Exporter, ExportRequest
from trimtab.export.onnx import OnnxExporter
from trimtab.task import Arrays, NamedArrays, joined_runs, single_samples


class OpenVinoExporter(Exporter):
    format: ClassVar[str] = "openvino"
    suffix: ClassVar[str] = ".xml"
    modules: ClassVar[tuple[str, ...]] = ("torch", "onnx", "onnxscript", "onnxruntime", "openvino")

    def export(self, request: ExportRequest, target: Path) -> str:
        """Through ONNX, which keeps the names of inputs and outputs."""
        openvino = _import()
        with tempfile.TemporaryDirectory(prefix="trimtab-") as folder:
            source = Path(folder) / "model.onnx"
            sentence = OnnxExporter().export(request, source)
            graph = openvino.Core().read_model(str(source))
            _number_anew(graph)
            openvino.save_model(graph, str(target), compress_to_fp16=False)
        return f"{sentence}; converted to OpenVINO IR with openvino {version('openvino')}"

    def run(self, path: Path, inputs: NamedArrays) -> Arrays:
        """In float32: on its own OpenVINO computes in bf16 where the processor can."""
        openvino = _import()
        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
        model = openvino.Core().compile_model(str(path), "CPU", settings)
        runs = [
            tuple(np.array(each) for each in model(list(sample.values())).values())
            for sample in single_samples(inputs)
        ]
        return joined_runs(runs)


def _import() -> Any:
    """Without its usage reports, which it sends on import."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # "not installed"
    import openvino

    return openvino


def _number_anew(graph: Any) -> None:
    """OpenVINO numbers nameless operators through a process's life: the next file would differ."""
    for position, operator in enumerate(graph.get_ordered_ops()):
        given, number = f"{operator.get_type_name()}_", operator.get_friendly_name()
        if number.startswith(given) and number.removeprefix(given).isdigit():
            operator.set_friendly_name(f"{given}{position}")
