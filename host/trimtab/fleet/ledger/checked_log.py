"""An append-only file of JSON records, each with its checksum; a torn tail is cut off.

A line is eight hex digits of CRC-32, a space, the JSON, a newline. Reading stops at the first line
that does not check: what follows it cannot be trusted to be in order.
"""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path
from typing import Any

Record = dict[str, Any]


class CheckedLog:
    """``durable``: records are synced to the disk, but those that need not be."""

    def __init__(self, path: Path, *, durable: bool) -> None:
        """Raises OSError where the file cannot be read or written."""
        self._durable = durable
        self.records, good_bytes = read_records(path)
        self._file = path.open("ab", buffering=0)
        if path.stat().st_size > good_bytes:
            self._file.truncate(good_bytes)

    def append(self, record: Record, *, synced: bool = True) -> None:
        """In the system's hands on return, which outlives this process; ``synced``: on the disk.

        Raises OSError where the disk is full; nothing of the record is kept then.
        """
        text = json.dumps(record, separators=(",", ":")).encode()
        line = b"%08x %s\n" % (zlib.crc32(text), text)
        end = self._file.seek(0, os.SEEK_END)
        try:
            if self._file.write(line) != len(line):
                raise OSError(28, os.strerror(28))  # ENOSPC: a part of it fitted
            if self._durable and synced:
                os.fsync(self._file.fileno())
        except OSError:
            self._file.truncate(end)
            raise
        self.records.append(record)

    def close(self) -> None:
        self._file.close()


def read_records(path: Path) -> tuple[list[Record], int]:
    """The good records, and where they end in bytes. Changes nothing."""
    records: list[Record] = []
    end = 0
    if not path.exists():
        return records, end
    with path.open("rb") as file:
        for line in file:
            try:
                records.append(_decode(line))
            except ValueError:
                break
            end += len(line)
    return records, end


def first_record(path: Path) -> Record | None:
    """Without reading the rest; None where there is none that checks."""
    try:
        with path.open("rb") as file:
            return _decode(file.readline())
    except (FileNotFoundError, ValueError):
        return None


def _decode(line: bytes) -> Record:
    checksum, _, text = line.rstrip(b"\n").partition(b" ")
    if not line.endswith(b"\n") or int(checksum, 16) != zlib.crc32(text):
        raise ValueError("torn or damaged")
    record: Record = json.loads(text)
    return record
