"""Files that are there only when they are whole, and then are on disk."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def whole_file(path: Path, mode: int | None = None) -> Iterator[BinaryIO]:
    """What the block writes takes the place of ``path`` at its end; where it raises, nothing does.

    ``mode``: its permissions, from the first byte on; without one, those of the file that was
    there, else what the umask leaves. Raises OSError.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    descriptor = os.open(temporary, flags, 0o666 if mode is None else mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if mode is None and path.exists():
            shutil.copymode(path, temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes, mode: int | None = None) -> None:
    """As :func:`whole_file`, of bytes that are there already."""
    with whole_file(path, mode) as file:
        file.write(data)
