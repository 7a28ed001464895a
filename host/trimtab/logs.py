"""The host's log: JSON lines in a file, where the user asked for it, each with its run and job."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path

from trimtab.records import UserError

FIELDS = ("run_id", "device", "job_id", "request_id")
_BOUND: ContextVar[Mapping[str, str]] = ContextVar("bound")


@contextmanager
def bound(**fields: str) -> Iterator[None]:
    """Every record made within, also in tasks begun there, has them: names of :data:`FIELDS`."""
    token = _BOUND.set({**_BOUND.get({}), **fields})
    try:
        yield
    finally:
        _BOUND.reset(token)


class _Bound(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        for name, value in _BOUND.get({}).items():
            if not hasattr(record, name):
                setattr(record, name, value)
        return True


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC)
        content = {
            "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            "logger": record.name,
        }
        for name in FIELDS:
            if value := getattr(record, name, ""):
                content[name] = str(value)
        if record.exc_info:
            content["traceback"] = self.formatException(record.exc_info)
        return json.dumps(content, ensure_ascii=False)


def log_to(path: Path) -> None:
    """Appends to the file. Raises UserError where it cannot be written."""
    try:
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        what = f"the log {path} cannot be written: {error.strerror}"
        raise UserError(what, "give another --log-file, or unset TRIMTAB_LOG") from error
    handler.setFormatter(_Json())
    handler.addFilter(_Bound())
    logger = logging.getLogger("trimtab")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)


def shortened(secret: str) -> str:
    """Of a lease's id, so that who reads the log cannot use it."""
    return f"{secret[:6]}…"
