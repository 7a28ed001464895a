"""Keeps chatty libraries off the terminal and off standard output, down to their C++ parts."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from typing import IO

_STDOUT, _STDERR = 1, 2
_KEPT_CHARACTERS = 2000


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Everything printed inside goes nowhere; an exception carries the end of it as a note."""
    with tempfile.TemporaryFile("w+", errors="replace") as sink:
        try:
            with _python_output(sink), _descriptors(sink.fileno()):
                yield
        except Exception as error:
            sink.seek(0)
            printed = sink.read()[-_KEPT_CHARACTERS:].strip()
            if printed:
                error.add_note(f"printed before it failed:\n{printed}")
            raise


@contextlib.contextmanager
def _python_output(sink: IO[str]) -> Iterator[None]:
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(sink),
        contextlib.redirect_stderr(sink),
    ):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _descriptors(target: int) -> Iterator[None]:
    _flush()
    saved = {number: os.dup(number) for number in (_STDOUT, _STDERR)}
    try:
        for number in saved:
            os.dup2(target, number)
        yield
    finally:
        _flush()
        for number, copy in saved.items():
            os.dup2(copy, number)
            os.close(copy)


def _flush() -> None:
    """C's buffers too: what they held would come out later, in the middle of something else."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).fflush(None)
