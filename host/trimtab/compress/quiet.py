"""Keeps chatty libraries off the terminal and off standard output, down to their C++ parts."""

from __future__ import annotations

import contextlib
import ctypes
import logging
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
    """Everything printed inside goes nowhere; an exception carries the end of it as a note.

    What a library sets up inside for logging does not outlive it where all records would pass it.
    """
    with tempfile.TemporaryFile("w+", errors="replace") as sink:
        try:
            with _logging_kept(sink), _python_output(sink), _descriptors(sink.fileno()):
                yield
        except Exception as error:
            sink.seek(0)
            printed = sink.read()[-_KEPT_CHARACTERS:].strip()
            if printed:
                error.add_note(f"printed before it failed:\n{printed}")
            raise


@contextlib.contextmanager
def _logging_kept(sink: IO[str]) -> Iterator[None]:
    """Importing a library may set up logging, and its handlers would write to a closed file."""
    root = logging.getLogger()
    handlers, level = tuple(root.handlers), root.level
    try:
        yield
    finally:
        for handler in set(root.handlers).difference(handlers):
            root.removeHandler(handler)
        root.setLevel(level)
        for logger in tuple(root.manager.loggerDict.values()):
            if isinstance(logger, logging.Logger):
                _write_elsewhere(logger, sink)


def _write_elsewhere(logger: logging.Logger, sink: IO[str]) -> None:
    for handler in logger.handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is sink:
            handler.setStream(sys.stderr)


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
