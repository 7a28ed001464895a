"""Room on the disk for the last words of a job, when there is none otherwise."""

from __future__ import annotations

import os
from pathlib import Path

_BYTES = 2 << 20
_WRITTEN = b"\x01" * (1 << 16)


class LastRoom:
    """A file that is there only to be removed. ``keep`` and ``give`` raise nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def keep(self) -> None:
        """Take it (again), where the disk has it; some file systems would not keep empty blocks."""
        if self._path.exists():
            return
        try:
            with self._path.open("wb") as file:
                for _ in range(_BYTES // len(_WRITTEN)):
                    file.write(_WRITTEN)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            self.give()

    def give(self) -> None:
        self._path.unlink(missing_ok=True)
