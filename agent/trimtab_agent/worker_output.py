"""A file that a worker left: what stands under its name need be none of its own, and no file."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from pathlib import Path
from typing import BinaryIO

from trimtab_protos.digest import Digest

_COPY_BYTES = 1 << 20
# Without O_NONBLOCK a FIFO would hold the agent until somebody writes into it.
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_OPENED_AS_NONE = {errno.ELOOP, errno.ENXIO}  # symbolic links; sockets, devices that are not there


class NoFile(OSError):
    """It is a link, a FIFO, a socket, a device or a folder."""

    def __init__(self) -> None:
        super().__init__(errno.EINVAL, "it is no regular file with one name")


def open_output(path: Path) -> BinaryIO:
    """Looked at through its descriptor alone: a name may stand for something else a moment later.

    A worker that is another user has no other way to what only the agent may read than a link.
    Raises NoFile or OSError.
    """
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError as error:
        if error.errno in _OPENED_AS_NONE:
            raise NoFile from error
        raise
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        os.close(descriptor)
        raise NoFile
    return os.fdopen(descriptor, "rb")


def copy_hashed(source: BinaryIO, target: BinaryIO, most_bytes: int) -> Digest:
    """What it copied, which is all that there is or ``most_bytes``."""
    hasher, left = hashlib.sha256(), most_bytes
    while data := source.read(min(left, _COPY_BYTES)):
        hasher.update(data)
        target.write(data)
        left -= len(data)
    return Digest(hasher.hexdigest(), most_bytes - left)
