"""A folder as the archive that a kernel unpacks at boot (cpio, the "newc" format).

Written here, since it needs no root: every file belongs to root, whoever makes it. Archives may
stand one behind the other in one file.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import BinaryIO

_MAGIC = "070701"
_END = "TRAILER!!!"
_ALIGNMENT = 4


def write_archive(folder: Path, file: BinaryIO) -> None:
    for number, path in enumerate(sorted(folder.rglob("*")), start=1):
        mode = path.lstat().st_mode
        _write(file, path.relative_to(folder).as_posix(), number, mode, _content(path, mode))
    _write(file, _END, 0, 0, b"")


def _content(path: Path, mode: int) -> bytes:
    if stat.S_ISLNK(mode):
        return str(path.readlink()).encode()
    return path.read_bytes() if stat.S_ISREG(mode) else b""


def _write(file: BinaryIO, name: str, number: int, mode: int, content: bytes) -> None:
    encoded = name.encode() + b"\0"
    # inode, mode, uid, gid, links, mtime, size, device and special device (two each), name, check
    fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(encoded), 0)
    header = _MAGIC + "".join(f"{value:08x}" for value in fields)
    for part in (header.encode() + encoded, content):
        file.write(part + b"\0" * (-len(part) % _ALIGNMENT))
