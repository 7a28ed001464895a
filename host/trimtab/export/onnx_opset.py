"""Brings an ONNX file to another opset, for a runtime that does not take the newest."""

from __future__ import annotations

from pathlib import Path

from trimtab.export.base import ExportFailed, one_line

_TORCH_WRITES = 18  # older ones are converted to, which not every operator can be


def lower(path: Path, opset: int) -> None:
    """In place, with the oldest IR version that the opset goes with. Raises ExportFailed."""
    import onnx
    from onnx import helper, version_converter

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
    model.ir_version = helper.find_min_ir_version_for(list(model.opset_import), True)
    onnx.save(model, path)
