"""Running a user's code: whatever it raises becomes one line with their file and line number."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trimtab.records import UserError


@contextmanager
def user_code(path: Path, what: str) -> Iterator[None]:
    """``what`` is said to have failed, "model()" say. Raises UserError."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        place = f"{path}:{_line(path, error)}" if _line(path, error) else str(path)
        reason = " ".join(str(error).split())
        raise UserError(
            f"{place}: {what} failed: {type(error).__name__}: {reason}".removesuffix(": "),
            "correct the task file; --debug shows the whole traceback",
        ) from error


def _line(path: Path, error: Exception) -> int | None:
    """The deepest line of the user's own file, or where its syntax is wrong."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == str(path)
    ]
    return lines[-1] if lines else None
