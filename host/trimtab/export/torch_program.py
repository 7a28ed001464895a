"""torch -> torch.export's .pt2 archive, checked in torch."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from trimtab.export.base import Exporter, ExportRequest, exportable, one_line
from trimtab.export.onnx import doubled, open_batch
from trimtab.export.torch_runs import run_samples
from trimtab.task import Arrays, NamedArrays

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

# Where this machine keeps its sources, and the names in them.
_TRACES = ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "from_node")


class TorchProgramExporter(Exporter):
    format: ClassVar[str] = "pt2"
    suffix: ClassVar[str] = ".pt2"
    modules: ClassVar[tuple[str, ...]] = ("torch",)

    def export(self, request: ExportRequest, target: Path) -> str:
        """With an open batch dimension where the model allows it, else with a batch of 1."""
        import torch

        how = f"exported by torch.export with torch {torch.__version__}"
        if request.dynamic_shapes is not None:
            _save(request, _two_where_open(request), request.dynamic_shapes, target)
            return f"{how}, with the task's dynamic shapes"
        try:
            _save(request, doubled(request.example_inputs), open_batch(request), target)
            return f"{how}, batch dimension open"
        except Exception as error:  # torch.export specialises for reasons of many kinds
            _save(request, request.example_inputs, None, target)
            return f"{how}, batch of 1 ({one_line(error, 120)})"

    def run(self, path: Path, inputs: NamedArrays) -> Arrays:
        import torch

        with path.open("rb") as file:
            program = torch.export.load(io.BytesIO(file.read()))
        return run_samples(program.module(), inputs)


def _two_where_open(request: ExportRequest) -> tuple[Tensor, ...]:
    """torch.export takes a size of 1 for a constant, also where it is said to be open."""
    shapes = request.dynamic_shapes
    named = shapes.values() if isinstance(shapes, Mapping) else shapes
    return tuple(
        doubled((each,))[0] if _is_open(shape) and len(each) == 1 else each
        for each, shape in zip(request.example_inputs, named, strict=True)
    )


def _is_open(shape: Any) -> bool:
    """Whether the batch dimension is."""
    sizes = shape if isinstance(shape, Mapping) else dict(enumerate(shape or ()))
    return sizes.get(0) is not None


def _save(request: ExportRequest, arguments: Any, dynamic_shapes: Any, target: Path) -> None:
    import torch

    program = torch.export.export(exportable(request), arguments, dynamic_shapes=dynamic_shapes)
    _strip(program)
    _drop_unused(program)
    # Not by name: the archive's inner folder would be called after the file.
    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    target.write_bytes(buffer.getvalue())


def _strip(program: ExportedProgram) -> None:
    """Source paths of this machine, and a sample of the task's data, stay here."""
    import torch

    for module in program.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            for node in module.graph.nodes:
                for key in _TRACES:
                    node.meta.pop(key, None)
    program.example_inputs = None


def _drop_unused(program: ExportedProgram) -> None:
    """A quantized model still holds the float weights that its int8 ones were made of."""
    from torch.export.graph_signature import InputKind

    nodes = {node.name: node for node in program.graph.nodes}
    for spec in list(program.graph_signature.input_specs):
        node = nodes.get(spec.arg.name)
        if spec.kind in (InputKind.PARAMETER, InputKind.BUFFER) and node and not node.users:
            program.graph.erase_node(node)
            program.graph_signature.input_specs.remove(spec)
            program.state_dict.pop(spec.target, None)
    program.graph_module.recompile()
