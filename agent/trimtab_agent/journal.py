"""An append-only file of JSON records, each with its checksum; a torn tail is cut off."""

from __future__ import annotations

import logging
import os
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trimtab_protos.checked_lines import checked_text, decode_record, encode_record

_LOG = logging.getLogger(__name__)


class Journal:
    """Records are counted from 0; only their places in the file are kept in memory.

    No file stays open: a device keeps a hundred jobs.
    """

    def __init__(self, path: Path) -> None:
        """Raises OSError where the file cannot be read; a bad tail is cut off and logged."""
        self._path = path
        self._starts = array("q")
        size = path.stat().st_size if path.exists() else 0  # it is made with the first record
        self._end = self._scan() if size else 0
        if size > self._end:
            _LOG.warning(
                "%s: cut off %d bytes after record %d, which are torn or damaged",
                path,
                size - self._end,
                len(self._starts),
            )
            self._cut()

    def __len__(self) -> int:
        return len(self._starts)

    @property
    def size(self) -> int:
        """In bytes."""
        return self._end

    def append(self, record: dict[str, Any]) -> None:
        """In the operating system's hands on return; on the disk after :meth:`sync`.

        Raises OSError where the disk is full; nothing of the record stays then.
        """
        line = encode_record(record)
        try:
            with self._path.open("ab") as file:
                if os.fstat(file.fileno()).st_size > self._end:  # it could not be cut off before
                    os.ftruncate(file.fileno(), self._end)
                file.write(line)
        except OSError:
            self._cut()
            raise
        self._starts.append(self._end)
        self._end += len(line)

    def take_back(self) -> None:
        """The last record, which the disk did not keep: another comes in its place."""
        self._end = self._starts.pop()
        self._cut()

    def sync(self) -> None:
        with self._path.open("ab") as file:
            os.fsync(file.fileno())

    def read(self, index: int) -> dict[str, Any]:
        """Raises IndexError where there is no such record, ValueError where it was damaged."""
        start = self._starts[index]
        end = self._starts[index + 1] if index + 1 < len(self._starts) else self._end
        with self._path.open("rb") as file:
            file.seek(start)
            return decode_record(file.read(end - start))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self.read(index) for index in range(len(self)))

    def _cut(self) -> None:
        """Else the next record would follow a torn line; where it fails, it is tried again then."""
        try:
            os.truncate(self._path, self._end)
        except OSError as error:
            _LOG.warning("%s: not cut off at byte %d: %s", self._path, self._end, error)

    def _scan(self) -> int:
        """Returns where the good records end, in bytes."""
        end = 0
        with self._path.open("rb") as file:
            for line in file:
                try:
                    checked_text(line)
                except ValueError:
                    break
                self._starts.append(end)
                end += len(line)
        return end
