"""Recorded boards: the files and command outputs that tell what a device is, laid out as a root.

One text file a board, ``tests/recordings/boards/NAME.txt``, in lines of four forms:

    path = text            a file of one line, its newline added
    path = text\\0more\\0    a file of the device tree: "\\0" is a NUL, no newline
    path <<END             the lines up to END
    path -> target         a symbolic link

Lines that begin with "#" and empty ones say where things are from. What a command prints lies under
``commands/``, named by its whole command line ("commands/vcgencmd pmic_read_adc").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

RECORDINGS = Path(__file__).resolve().parent / "recordings" / "boards"


@dataclass(frozen=True)
class Entry:
    """``link``: ``content`` is what the link points to."""

    path: str
    content: bytes
    link: bool = False


def board_names() -> list[str]:
    return sorted(path.stem for path in RECORDINGS.glob("*.txt"))


def plant_board(root: Path, name: str) -> Path:
    """Lay the recorded board out below ``root``; returns ``root``, to hand in where "/" stands.

    Raises FileNotFoundError for a board that is not recorded, ValueError for a line of no form.
    """
    text = (RECORDINGS / f"{name}.txt").read_text(encoding="utf-8")
    for entry in read_entries(text):
        path = root / entry.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if entry.link:
            path.symlink_to(entry.content.decode())
        else:
            path.write_bytes(entry.content)
    return root


def read_entries(text: str) -> Iterator[Entry]:
    lines = iter(text.splitlines())
    for line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        yield _entry(line, lines)


def _entry(line: str, following: Iterator[str]) -> Entry:
    for separator in (" = ", " <<", " -> "):
        path, found, rest = line.partition(separator)
        if not found:
            continue
        if separator == " <<":
            return Entry(path, _block(rest, following))
        if separator == " -> ":
            return Entry(path, rest.encode(), link=True)
        return Entry(path, _content(rest))
    raise ValueError(f"neither 'path = text', 'path <<END' nor 'path -> target': {line}")


def _content(text: str) -> bytes:
    if "\\0" in text:
        return text.replace("\\0", "\0").encode()
    return f"{text}\n".encode()


def _block(end: str, following: Iterator[str]) -> bytes:
    lines: list[str] = []
    for line in following:
        if line == end:
            return "".join(f"{each}\n" for each in lines).encode()
        lines.append(line)
    raise ValueError(f"no line {end} ends the file")
