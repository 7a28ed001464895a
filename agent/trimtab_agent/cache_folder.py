"""What runtimes compiled is kept for later jobs, within bounds."""

from __future__ import annotations

import contextlib
import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

_LOG = logging.getLogger(__name__)
MAX_CACHE_BYTES = 512_000_000
_BLOCK_BYTES = 512  # of st_blocks, see inode(7)
_LEAST_BYTES = 4096  # so that empty files have an end, too


def keep_within(folder: Path, most_bytes: int) -> None:
    """Files used longest ago go first. Call it while no worker runs; it raises nothing."""
    try:
        files = [(_used_at(found), _size(found)) for found, _, _ in _files(folder)]
        too_old = _first_to_go(files, most_bytes)
        if too_old is not None:
            _remove(folder, too_old)
    except FileNotFoundError:
        return
    except (OSError, RecursionError) as error:  # folders nested beyond all measure
        _LOG.warning("%s: not brought within %d bytes: %s", folder, most_bytes, error)


def _first_to_go(files: list[tuple[float, int]], most_bytes: int) -> float | None:
    """The time of use up to which files have no room beside newer ones; None: all have."""
    taken = 0
    for used_at, size in sorted(files, reverse=True):
        taken += size
        if taken > most_bytes:
            return used_at
    return None


def _remove(folder: Path, too_old: float) -> None:
    removed = 0
    for found, name, opened in _files(folder):
        if _used_at(found) <= too_old:
            os.unlink(name, dir_fd=opened)
            removed += 1
    for _, folders, _, opened in os.fwalk(folder, topdown=False):
        for name in folders:
            with contextlib.suppress(OSError):  # it is not empty
                os.rmdir(name, dir_fd=opened)
    _LOG.info("%s: %d files used longest ago are removed", folder, removed)


def _files(folder: Path) -> Iterator[tuple[os.stat_result, str, int]]:
    """With the name within the open folder: workers own it, and no path of theirs is followed."""
    for _, folders, names, opened in os.fwalk(folder):
        for name in (*names, *folders):
            found = os.stat(name, dir_fd=opened, follow_symlinks=False)
            if not stat.S_ISDIR(found.st_mode):  # a link to a folder stands among the folders
                yield found, name, opened


def _used_at(found: os.stat_result) -> float:
    """Links, of which looking at them is a use, and what else is no file go before all others."""
    return max(found.st_atime, found.st_mtime) if stat.S_ISREG(found.st_mode) else 0.0


def _size(found: os.stat_result) -> int:
    return max(found.st_blocks * _BLOCK_BYTES, _LEAST_BYTES)
