"""An append-only file of JSON records, each with its checksum; a torn tail is cut off."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from trimtab_protos.checked_lines import decode_record, encode_record

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
        line = encode_record(record)
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
                records.append(decode_record(line))
            except ValueError:
                break
            end += len(line)
    return records, end


def first_record(path: Path) -> Record | None:
    """Without reading the rest; None where there is none that checks."""
    try:
        with path.open("rb") as file:
            return decode_record(file.readline())
    except (FileNotFoundError, ValueError):
        return None
