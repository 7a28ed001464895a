"""ONNX files as data: what one refers to is read from its bytes before a runtime opens it.

Older runtimes (ONNX Runtime 1.20, OpenVINO 2025.0) follow the location of external data out of the
model's folder: any file that the agent may read would come back in an output. So it is looked at
here, whatever the runtime.
"""

from __future__ import annotations

from pathlib import Path

from trimtab_protos.onnx_references import OnnxReferences, onnx_references
from trimtab_protos.protobuf_wire import NotProtobuf

from trimtab_agent.runtimes.base import ModelRefused
from trimtab_agent.runtimes.reasons import allow_it


def check_onnx(path: Path, allow_code: bool) -> None:
    """Raises ModelRefused where it reads beside its folder or, unless allowed, holds code.

    Also where it cannot be read here: a runtime's own parser might read more of it.
    """
    found = _found_in(path)
    locations = (each.decode(errors="replace") for each in found.locations)
    outside = sorted(each for each in locations if not _is_bare(each))
    if outside:
        raise ModelRefused(
            f"its external data is at {outside[0][:80]!r}, which is not a bare file name: save the "
            "model again with its data in one file beside it"
        )
    if found.has_compiled and not allow_code:
        raise ModelRefused(
            "it holds a part compiled for an accelerator (EPContext), which is code, and this "
            f"device does not allow that: {allow_it('send the model as it was before')}"
        )


def _found_in(path: Path) -> OnnxReferences:
    try:
        return onnx_references(path)
    except NotProtobuf as error:
        raise ModelRefused(
            f"Load model from {path.name} failed: it is damaged, or no ONNX model: export it again"
        ) from error


def _is_bare(location: str) -> bool:
    """As the files of a model are named: beside it, in no other folder."""
    return location not in ("", ".", "..") and not any(each in location for each in "/\\\0")
