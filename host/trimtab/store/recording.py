"""Recordings: a run with all its raw samples in one file that another machine can read.

A zip of ``manifest.json`` (schema, version, and size and SHA-256 of every other member),
``run.json``, and the samples as ``samples/*.npy``: little-endian 64-bit integers (the readings of
sensors: doubles), one axis. The same run gives the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
import zlib
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from trimtab.records import Run, UserError
from trimtab.store.recording_document import (
    Array,
    WrongDocument,
    run_document,
    run_from_document,
)
from trimtab.whole_files import whole_file

SCHEMA = "trimtab.recording"
VERSION = 1
_MANIFEST, _RUN = "manifest.json", "run.json"
_SAMPLES = re.compile(r"samples/[0-9]+-[0-9]+-[a-z0-9_]+\.npy")
_TYPES = (np.dtype("<i8"), np.dtype("<f8"))
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MAX_BYTES = 2**30
_MAX_DOCUMENT_BYTES = 2**26
_MAX_MEMBERS = 100_000
_ADVICE = "export it again with `trimtab runs export`, and copy it whole"
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    RuntimeError,  # encrypted
    NotImplementedError,  # an unknown compression
    ValueError,
    RecursionError,
)


def write_recording(run: Run, path: Path) -> None:
    """The file is there only when it is whole. Raises UserError where it cannot be written."""
    try:
        with whole_file(path) as file:
            _write(run, file)
    except OSError as error:
        advice = "name a file in a writable folder with room for it"
        raise UserError(f"{path}: {error.strerror}", advice) from error


def read_recording(path: Path) -> Run:
    """Every checksum and field is verified. Raises UserError for whatever is not a recording."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            _refuse(path, f"larger than {_MAX_BYTES >> 20} MiB")
        with zipfile.ZipFile(path) as archive:
            return _read(path, archive)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file", "check the path") from error
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}", "check the path") from error
    except WrongDocument as error:
        _refuse(path, str(error))
    except _UNREADABLE as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        _refuse(path, f"damaged or no recording: {reason[:120]}")


def same_content(one: Run, other: Run) -> bool:
    """Whether the two would be the same recording."""
    document, arrays = run_document(one)
    other_document, other_arrays = run_document(other)
    return (
        _json(document) == _json(other_document)
        and arrays.keys() == other_arrays.keys()
        and all(np.array_equal(arrays[name], other_arrays[name]) for name in arrays)
    )


def _write(run: Run, file: Any) -> None:
    document, arrays = run_document(run)
    members = {_RUN: _json(document)} | {name: _npy(arrays[name]) for name in arrays}
    manifest = {
        "schema": SCHEMA,
        "version": VERSION,
        "members": {
            name: {"size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in members.items()
        },
    }
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in ({_MANIFEST: _json(manifest)} | members).items():
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)


def _read(path: Path, archive: zipfile.ZipFile) -> Run:
    infos = archive.infolist()
    names = [info.filename for info in infos]
    odd = next((n for n in names if n not in (_MANIFEST, _RUN) and not _SAMPLES.fullmatch(n)), None)
    if odd is not None:
        _refuse(path, f"it holds {odd[:60]!r}, which no recording does")
    if len(infos) > _MAX_MEMBERS or sum(info.file_size for info in infos) > _MAX_BYTES:
        _refuse(path, f"it unpacks to more than {_MAX_BYTES >> 20} MiB")
    if len(set(names)) != len(names) or _MANIFEST not in names:
        _refuse(path, "no manifest, or a name twice")
    listed = _listed(path, json.loads(_member(path, archive, _MANIFEST)))
    if set(listed) != set(names) - {_MANIFEST} or _RUN not in listed:
        _refuse(path, "its members are not those of its manifest")
    contents = {name: _verified(path, archive, name, listed[name]) for name in listed}
    document = json.loads(contents.pop(_RUN), parse_constant=_no_constant)
    arrays = {name: _samples(name, data) for name, data in contents.items()}
    return run_from_document(document, arrays)


def _listed(path: Path, manifest: object) -> dict[str, Any]:
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        _refuse(path, "a zip, but not of a recording")
    version = manifest.get("version")
    if isinstance(version, int) and version > VERSION:
        raise UserError(
            f"{path}: a recording of version {version}, this trimtab reads {VERSION}",
            "upgrade trimtab",
        )
    members = manifest.get("members")
    if version != VERSION or not isinstance(members, dict):
        _refuse(path, "its manifest is not one")
    return members


def _verified(path: Path, archive: zipfile.ZipFile, name: str, listed: Any) -> bytes:
    data = _member(path, archive, name)
    found = {"size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    if found != listed:
        _refuse(path, f"the checksum of {name} is wrong")
    return data


def _member(path: Path, archive: zipfile.ZipFile, name: str) -> bytes:
    info = archive.getinfo(name)
    if name in (_MANIFEST, _RUN) and info.file_size > _MAX_DOCUMENT_BYTES:
        _refuse(path, f"{name} is larger than {_MAX_DOCUMENT_BYTES >> 20} MiB")
    with archive.open(info) as member:
        return member.read(info.file_size + 1)


def _npy(samples: Array) -> bytes:
    file = io.BytesIO()
    whole = np.ascontiguousarray(samples, dtype=samples.dtype.newbyteorder("<"))
    np.lib.format.write_array(file, whole, version=(1, 0), allow_pickle=False)
    return file.getvalue()


def _samples(name: str, data: bytes) -> Array:
    """Nothing is allocated by what the header claims: it must fit the bytes that are there."""
    file = io.BytesIO(data)
    if np.lib.format.read_magic(file) != (1, 0):
        raise WrongDocument(f"{name} is of another .npy version")
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    begin = file.tell()
    count, rest = divmod(len(data) - begin, 8)
    if dtype not in _TYPES or shape != (count,) or rest:
        raise WrongDocument(f"{name} does not hold 64-bit numbers on one axis")
    return np.frombuffer(data, dtype, offset=begin).astype(dtype.newbyteorder("="))


def _json(document: object) -> bytes:
    return json.dumps(document, indent=1, sort_keys=False, allow_nan=False).encode()


def _no_constant(text: str) -> NoReturn:
    raise WrongDocument(f"run.json holds {text}")


def _refuse(path: Path, reason: str) -> NoReturn:
    raise UserError(f"{path}: not a sound recording: {reason}", _ADVICE)
