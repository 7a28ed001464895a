"""A job's events exactly as the device sent them, one behind the other.

A frame is the length and the CRC-32 of an event's bytes, four bytes each, and the bytes. A torn
tail is cut off: the device is asked again from the last whole event on.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

_HEAD = struct.Struct("<II")


class EventFile:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def __enter__(self) -> EventFile:
        """Opens it for appending, behind its last whole event."""
        good_bytes = sum(_HEAD.size + len(event) for event in read_events(self._path))
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        os.ftruncate(self._descriptor, good_bytes)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def append(self, event: bytes) -> None:
        """In the system's hands on return: this process may be killed, on the disk after
        :meth:`sync`. Raises OSError."""
        assert self._descriptor is not None  # noqa: S101 - used inside the context
        frame = _HEAD.pack(len(event), zlib.crc32(event)) + event
        if os.write(self._descriptor, frame) != len(frame):
            raise OSError(28, os.strerror(28))  # ENOSPC

    def sync(self) -> None:
        assert self._descriptor is not None  # noqa: S101
        os.fsync(self._descriptor)


def read_events(path: Path) -> Iterator[bytes]:
    """Those that are whole; none where there is no file."""
    if not path.exists():
        return
    with path.open("rb") as file:
        while len(head := file.read(_HEAD.size)) == _HEAD.size:
            size, checksum = _HEAD.unpack(head)
            event = file.read(size)
            if len(event) < size or zlib.crc32(event) != checksum:
                return
            yield event
