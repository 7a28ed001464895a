"""torch -> ONNX, checked in ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from trimtab.export.base import Exporter, ExportRequest, exportable, one_line
from trimtab.export.onnx_opset import lower
from trimtab.export.onnx_shared_weights import merge_equal_weights
from trimtab.onnx_session import cpu_session
from trimtab.task import Arrays, NamedArrays, joined_runs, single_samples

if TYPE_CHECKING:
    from torch import Tensor


class OnnxExporter(Exporter):
    format: ClassVar[str] = "onnx"
    suffix: ClassVar[str] = ".onnx"
    modules: ClassVar[tuple[str, ...]] = ("torch", "onnx", "onnxscript", "onnxruntime")
    run_modules: ClassVar[tuple[str, ...]] = ("onnxruntime",)
    opset: int | None = None  # None: the newest that torch writes

    def export(self, request: ExportRequest, target: Path) -> str:
        """With an open batch dimension where the model allows it, else with a batch of 1."""
        shapes = export_somehow(request, target)
        strip_traces(target)
        merge_equal_weights(target)
        if self.opset is not None:
            lower(target, self.opset)
        return f"{_described(target)}, {shapes}"

    def run(self, path: Path, inputs: NamedArrays) -> Arrays:
        session = cpu_session(path)
        samples = single_samples(inputs, _rows(session))
        return joined_runs([tuple(session.run(None, dict(sample))) for sample in samples])


def _rows(session: Any) -> dict[str, int]:
    """Of one run, where the file fixes them."""
    shapes = {each.name: each.shape for each in session.get_inputs()}
    return {name: shape[0] for name, shape in shapes.items() if shape and _is_fixed(shape[0])}


def _is_fixed(size: object) -> bool:
    return isinstance(size, int) and size > 0


def export_somehow(request: ExportRequest, target: Path) -> str:
    """What became of the shapes."""
    if request.dynamic_shapes is not None:
        _export(request, request.example_inputs, request.dynamic_shapes, target)
        return "with the task's dynamic shapes"
    try:
        _export(request, doubled(request.example_inputs), open_batch(request), target)
        return "batch dimension open"
    except Exception as error:  # torch.export specialises for reasons of many kinds
        _export(request, request.example_inputs, None, target)
        return f"batch of 1 ({one_line(error, 120)})"


def _export(
    request: ExportRequest, arguments: tuple[Tensor, ...], dynamic_shapes: Any, target: Path
) -> None:
    import torch

    torch.onnx.export(
        exportable(request),
        arguments,
        str(target),
        dynamo=True,
        external_data=False,
        input_names=list(request.input_names),
        output_names=list(request.output_names),
        dynamic_shapes=dynamic_shapes,
        verbose=False,
    )


def doubled(inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """A batch of 2: torch.export takes a dimension of 1 for a constant."""
    import torch

    return tuple(torch.cat([each, each]) if each.ndim else each for each in inputs)


def open_batch(request: ExportRequest) -> tuple[dict[int, Any] | None, ...]:
    import torch

    batch = torch.export.Dim("batch")
    return tuple({0: batch} if each.ndim else None for each in request.example_inputs)


def strip_traces(path: Path) -> None:
    """Source paths and stack traces of this machine have no business on a device."""
    import onnx

    model = onnx.load(path)
    for node in (*model.graph.node, *(node for each in model.functions for node in each.node)):
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    for holder in (model.graph, *model.functions, *model.graph.value_info):
        holder.ClearField("metadata_props")
    for value in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        value.ClearField("metadata_props")
    onnx.save(model, path)


def _described(path: Path) -> str:
    import onnx
    import torch

    model = onnx.load(path)
    opset = next(each.version for each in model.opset_import if not each.domain)
    return f"exported to ONNX opset {opset} (IR {model.ir_version}) with torch {torch.__version__}"
