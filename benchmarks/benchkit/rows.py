"""What was measured already, so that a benchmark that was broken off goes on where it stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

FILE_VARIABLE = "TRIMTAB_BENCH_FILE"
Row = Mapping[str, Any]


class Rows:
    """Rows of a JSON lines file; None: kept in memory alone."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._rows = [] if file is None else read_rows(file)

    @staticmethod
    def of_environment() -> Rows:
        name = os.environ.get(FILE_VARIABLE)
        return Rows(Path(name) if name else None)

    def once(self, key: Row, measure: Callable[[], Row]) -> Row:
        """The row that was kept under ``key``; where there is none it is measured, and kept."""
        for row in self._rows:
            if all(row.get(name) == value for name, value in key.items()):
                return row
        row = {**key, **measure()}
        self._rows.append(row)
        if self._file is not None:
            append_row(self._file, row)
        return row


def append_row(path: Path, row: Row) -> None:
    """On a line of its own, after whatever an interrupt left of the last one."""
    torn = path.exists() and not path.read_bytes().endswith(b"\n")
    with path.open("a", encoding="utf-8") as file:
        file.write(("\n" if torn else "") + json.dumps(row) + "\n")


def read_rows(file: Path) -> list[Row]:
    """None written yet is an empty list; a line cut off by an interrupt is passed over."""
    if not file.exists():
        return []
    found: list[Row] = []
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            found.append(row)
    return found
