"""The agent's log: one line a record, as text or as JSON, each with the job it was made for.

As text, a traceback follows its record, each line indented: a line that is not is a record's.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TextIO

_LOG = logging.getLogger("trimtab_agent")
_INDENT = "    "
FIELDS = ("job_id", "request_id", "arm", "peer")
_BOUND: ContextVar[Mapping[str, str]] = ContextVar("bound")


@contextmanager
def bound(**fields: str) -> Iterator[None]:
    """Every record made within, also in tasks and ``asyncio.to_thread`` begun there, has them.

    The names are those of :data:`FIELDS`. Not around a generator's ``yield``: that goes on in
    whoever's context asks.
    """
    token = _BOUND.set({**_BOUND.get({}), **fields})
    try:
        yield
    finally:
        _BOUND.reset(token)


class _BoundFields(logging.Filter):
    """What a record says of itself (``extra``) counts before what is bound."""

    def filter(self, record: logging.LogRecord) -> bool:
        for name, value in _BOUND.get({}).items():
            if not hasattr(record, name):
                setattr(record, name, value)
        return True


class _Text(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        record.message = record.getMessage()
        record.asctime = self.formatTime(record)
        text = self.formatMessage(record)
        job_id = getattr(record, "job_id", "")
        lines = [f"{text} job={job_id}" if job_id else text]
        if record.exc_info:
            traceback = self.formatException(record.exc_info).splitlines()
            lines += [_INDENT + line for line in traceback]
        return "\n".join(map(_escaped, lines))


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        content = {
            "time": f"{seconds}.{int(record.msecs):03d}Z",
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


def _escaped(text: str) -> str:
    """In one line that steers no terminal: hosts choose names that stand in the log."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def log_handler(log_format: str, stream: TextIO) -> logging.Handler:
    """``log_format``: text or json."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Json() if log_format == "json" else _Text())
    handler.addFilter(_BoundFields())
    return handler


def log_to_standard_error(log_format: str) -> None:
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    root.addHandler(log_handler(log_format, sys.stderr))


def say(log_format: str, level: int, text: str) -> None:
    """The program's own word on standard error; as JSON a record like the others."""
    if log_format == "json":
        _LOG.log(level, "%s", text)
    else:
        print(text, file=sys.stderr, flush=True)  # noqa: T201 - what starts an agent waits for it
