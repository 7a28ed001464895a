"""What installed packages register with us, as ``importlib.metadata`` would tell it.

That module brings the parsers of mail, archives and tables along: two megabytes, in a process that
is to leave a small board's memory to the models.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

_FOLDERS = (".dist-info", ".egg-info")
_FILE = "entry_points.txt"
_VALUE = re.compile(r"(?P<module>[\w.]+)\s*(?::\s*(?P<attribute>[\w.]+))?\s*(?:\[.*\])?")


@dataclass(frozen=True)
class EntryPoint:
    name: str
    value: str

    def load(self) -> Any:
        """Raises whatever its module raises, ValueError where it names none."""
        match = _VALUE.fullmatch(self.value)
        if match is None:
            raise ValueError(f"not an entry point: {self.value}")
        found: Any = import_module(match["module"])
        for name in (match["attribute"] or "").split("."):
            found = getattr(found, name) if name else found
        return found


def entry_points(group: str) -> tuple[EntryPoint, ...]:
    """Of a distribution that is there twice the one that is found first counts, as on import."""
    seen: set[str] = set()
    found: list[EntryPoint] = []
    for folder in sys.path:
        for distribution, file in _files(Path(folder or ".")):
            if distribution not in seen:
                seen.add(distribution)
                found.extend(_of_group(file, group))
    return tuple(found)


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """The distributions in a folder of the path, and where they would list their entry points."""
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - names alone, of a folder of hundreds
    except OSError:  # not there, or an archive
        return
    for name in names:
        if name.endswith(_FOLDERS):
            distribution = name.rpartition(".")[0].partition("-")[0]
            yield re.sub(r"[-_.]+", "_", distribution).lower(), folder / name / _FILE


def _of_group(file: Path, group: str) -> Iterator[EntryPoint]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):  # most distributions list none
        return
    section = ""
    for line in map(str.strip, lines):
        if line.startswith("["):
            section = line.strip("[]").strip()
        elif section == group and "=" in line and not line.startswith(("#", ";")):
            name, _, value = line.partition("=")
            yield EntryPoint(name.strip(), value.strip())
