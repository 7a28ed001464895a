"""Which files a task's code reads while it runs.

Python's own opening of files is seen by an audit hook (PEP 578), safetensors' by a wrapper, what
is still mapped into memory by the kernel's list. Files that other native code opens and closes
are not seen, nor is what other processes read.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_MAPS = Path("/proc/self/maps")
_RIGHTS, _NAME = 1, 5
_SEARCHES = ("importlib", "pkgutil", "zipimport")


@dataclass
class Seen:
    """Absolute paths; ``relative`` has those that were named from the working folder."""

    read: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)
    listed: set[str] = field(default_factory=set)
    modules: set[str] = field(default_factory=set)
    relative: set[str] = field(default_factory=set)

    def _absolute(self, path: object) -> str | None:
        if not isinstance(path, str | bytes | os.PathLike):
            return None  # a file descriptor: it was seen when it was opened
        named = Path(os.fsdecode(path))
        found = str(named.absolute())
        if not named.is_absolute():
            self.relative.add(found)
        return found

    def note_read(self, path: object) -> None:
        found = self._absolute(path)
        if found:
            self.read.add(found)

    def note_open(self, path: object, flags: object) -> None:
        access = flags & os.O_ACCMODE if isinstance(flags, int) else os.O_RDONLY
        found = self._absolute(path)
        if found:
            (self.read if access == os.O_RDONLY else self.written).add(found)

    def note_listing(self, path: object) -> None:
        found = self._absolute("." if path is None else path)
        if found:
            self.listed.add(found)


_current: list[Seen] = []
_hooked: list[bool] = []


@contextmanager
def watched() -> Iterator[Seen]:
    """Complete when the block has ended."""
    if not _hooked:  # a hook stays for the life of the process
        sys.addaudithook(_audit)
        _hooked.append(True)
    seen = Seen()
    before = set(sys.modules)
    _current.append(seen)
    try:
        with _safetensors(seen.note_read):
            yield seen
            seen.read.update(_mapped())
    finally:
        _current.remove(seen)
        seen.modules.update(_module_files(set(sys.modules) - before))


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if not _current:
        return
    with suppress(Exception):  # what it raises would become the task's
        if event == "open":
            for seen in _current:
                seen.note_open(arguments[0], arguments[2])
        elif event in ("os.listdir", "os.scandir") and not _is_search_for_modules():
            for seen in _current:
                seen.note_listing(arguments[0])


def _is_search_for_modules() -> bool:
    caller = sys._getframe(2).f_code.co_filename
    return any(name in caller for name in _SEARCHES)


def _module_files(names: set[str]) -> set[str]:
    """Of source: the interpreter may have read the compiled file beside it instead."""
    files = (getattr(sys.modules.get(name), "__file__", None) for name in names)
    return {file for file in files if isinstance(file, str) and Path(file).is_absolute()}


def _mapped() -> set[str]:
    """But for what is shared and writable: that is written, not read."""
    try:
        lines = _MAPS.read_text().splitlines()
    except OSError:
        return set()
    fields = (line.split(maxsplit=5) for line in lines)
    return {
        each[_NAME]
        for each in fields
        if len(each) > _NAME and each[_NAME].startswith("/") and each[_RIGHTS] != "rw-s"
    }


@contextmanager
def _safetensors(note: Callable[[object], None]) -> Iterator[None]:
    """Its files are opened in Rust."""
    if find_spec("safetensors") is None:
        yield
        return
    import safetensors

    original: Any = safetensors.safe_open

    def safe_open(filename: Any, *arguments: Any, **named: Any) -> Any:
        note(filename)
        return original(filename, *arguments, **named)

    _replace("safe_open", original, safe_open)
    try:
        yield
    finally:
        _replace("safe_open", safe_open, original)


def _replace(name: str, old: object, new: object) -> None:
    """In every module that holds it."""
    for module in list(sys.modules.values()):
        if getattr(module, "__dict__", {}).get(name) is old:
            setattr(module, name, new)
