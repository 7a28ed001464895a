"""Which opset and IR version an ONNX file has, and which a release of ONNX Runtime takes."""

from __future__ import annotations

import mmap
import re
from dataclasses import dataclass
from pathlib import Path

from trimtab_protos.protobuf_wire import NotProtobuf, fields, integers

# Found by loading files of every version in each release. What ONNX Runtime says of it:
# https://onnxruntime.ai/docs/reference/compatibility.html
_LIMITS = {
    (1, 15): (19, 9),
    (1, 16): (19, 9),
    (1, 17): (20, 9),
    (1, 18): (21, 10),
    (1, 19): (21, 10),
    (1, 20): (21, 10),
    (1, 21): (22, 10),
    (1, 22): (22, 10),
    (1, 23): (23, 11),
    (1, 24): (25, 13),
    (1, 25): (26, 13),
    (1, 28): (26, 13),
    (1, 32): (28, 14),
}
_RELEASE = re.compile(r"(\d+)\.(\d+)")
# Field numbers of onnx.proto: of ModelProto, and of its OperatorSetIdProto.
_IR_VERSION, _OPSET_IMPORT = 1, 8
_DOMAIN, _VERSION = 1, 2


@dataclass(frozen=True)
class OnnxVersions:
    opset: int
    ir: int

    def __str__(self) -> str:
        return f"opset {self.opset} and IR version {self.ir}"


def too_new_for(path: Path, release: str) -> str:
    """Why that release of ONNX Runtime does not take the file; empty: nothing is against it."""
    limit, found = newest_for(release), file_versions(path)
    if limit is None or found is None or (found.opset <= limit.opset and found.ir <= limit.ir):
        return ""
    return (
        f"onnxruntime {release} takes ONNX {limit} at most, {path.name} has {found}: update it on "
        f"the device, or export for it (in trimtab.toml: [export] opset = {limit.opset})"
    )


def newest_for(release: str) -> OnnxVersions | None:
    """Of a release between two in the table the later one's; None: later than the table."""
    match = _RELEASE.match(release)
    if match is None:
        return None
    later = [each for each in sorted(_LIMITS) if each >= (int(match[1]), int(match[2]))]
    return OnnxVersions(*_LIMITS[later[0]]) if later else None


def file_versions(path: Path) -> OnnxVersions | None:
    """None: not an ONNX model."""
    if path.stat().st_size == 0:
        return None
    with path.open("rb") as file:
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    try:
        ir = next((value for number, value in integers(data) if number == _IR_VERSION), None)
        opsets = [_opset(value) for number, value in fields(data) if number == _OPSET_IMPORT]
    except NotProtobuf:
        return None
    opset = next((version for domain, version in opsets if domain in (b"", b"ai.onnx")), None)
    return None if ir is None or opset is None else OnnxVersions(opset, ir)


def _opset(data: memoryview) -> tuple[bytes, int]:
    domain = next((bytes(value) for number, value in fields(data) if number == _DOMAIN), b"")
    version = next((value for number, value in integers(data) if number == _VERSION), 0)
    return domain, version
