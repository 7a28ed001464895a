"""Which data files an ONNX model refers to."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from trimtab_protos.onnx_references import onnx_references
from trimtab_protos.protobuf_wire import NotProtobuf

from trimtab.records import UserError


def external_data_locations(path: Path) -> tuple[str, ...]:
    """Locations in the order they are first named; none where the file is not an ONNX model."""
    try:
        return tuple(location.decode() for location in onnx_references(path).locations)
    except (NotProtobuf, UnicodeDecodeError):
        return ()


def external_data_files(path: Path) -> tuple[Path, ...]:
    """All beside the model, whether they are there or not. Raises UserError as check_bare does."""
    locations = external_data_locations(path)
    for location in locations:
        check_bare(path, location)
    return tuple(path.parent / location for location in locations)


def check_bare(model: Path, location: str) -> None:
    """Raises UserError where a location of external data leads anywhere but beside the model.

    A model that somebody else made could else have any file read here; and the name travels to the
    device, where no name may be a path.
    """
    if location in ("", ".", "..") or "\\" in location or PurePosixPath(location).name != location:
        raise UserError(
            f"{model}: its external data is at {location!r}, which is not a bare file name",
            "save the model again with its data in one file beside it",
        )
