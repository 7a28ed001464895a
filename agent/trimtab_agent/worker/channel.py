"""The worker's side of the line to the agent: JSON lines on a descriptor of its own."""

from __future__ import annotations

import json
import os
from typing import Any, TextIO

_STDOUT, _STDERR = 1, 2


class Channel:
    """Writes one message a line, flushed at once."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def send(self, kind: str, **fields: Any) -> None:
        self._stream.write(json.dumps({"kind": kind, **fields}, separators=(",", ":")) + "\n")
        self._stream.flush()


def take_standard_output() -> Channel:
    """Keep standard output for messages and point descriptor 1 at standard error.

    Native libraries print to descriptor 1; that must not end up between messages.
    """
    kept = os.dup(_STDOUT)
    os.dup2(_STDERR, _STDOUT)
    return Channel(os.fdopen(kept, "w", encoding="utf-8"))
