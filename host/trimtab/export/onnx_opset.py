"""Brings an ONNX file to another opset, for a runtime that does not take the newest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab.export.base import ExportFailed, one_line

if TYPE_CHECKING:
    from onnx import ModelProto

_TORCH_WRITES = 18  # older ones are converted to, which not every operator can be


def lower(path: Path, opset: int) -> None:
    """In place. Raises ExportFailed."""
    import onnx
    from onnx import version_converter

    model = onnx.load(path)
    written = next(each.version for each in model.opset_import if not each.domain)
    if opset != written:
        try:
            model = version_converter.convert_version(model, opset)
        except Exception as error:  # the converter raises its own kinds
            raise ExportFailed(
                f"the model cannot be brought from ONNX opset {written} to {opset}, set one from "
                f"{_TORCH_WRITES} on under [export]: {one_line(error)}"
            ) from error
    onnx.save(model, path)
    settle(path)


def settle(path: Path) -> None:
    """Only the operator sets that are used, and the oldest IR version that these go with.

    ONNX Runtime's optimizer, which its quantizer calls, names all those it knows: an older one then
    refuses the file for a set that no operator is of.
    """
    import onnx
    from onnx import helper

    model = onnx.load(path)
    used = _domains(model)
    kept = [each for each in model.opset_import if each.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    model.ir_version = helper.find_min_ir_version_for(kept, True)
    onnx.save(model, path)


def _domains(model: ModelProto) -> set[str]:
    """The standard set is there always."""
    found = {""}
    graphs: list[Any] = [model.graph, *model.functions]
    while graphs:
        for node in graphs.pop().node:
            found.add(node.domain)
            for attribute in node.attribute:
                graphs.extend([attribute.g] if attribute.HasField("g") else attribute.graphs)
    return found
