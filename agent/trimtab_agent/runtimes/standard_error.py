"""What a library writes to standard error while it works, kept so that a reason can quote it."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_STAMP = re.compile(r"^.*?\[E:onnxruntime:[^\]]*\]\s*")
_SOURCE = re.compile(r"^/\S+\.(?:cc|cpp|h):\d+ .*?(?=\[ERROR\]|\[OpenVINO\])")
_MARK = "[E:onnxruntime"


class Overheard:
    def __init__(self) -> None:
        self.text = ""

    def error(self) -> str:
        """The first error that ONNX Runtime logged, without time, source and colour; or empty."""
        for line in _COLOUR.sub("", self.text).splitlines():
            if _MARK in line:
                return _SOURCE.sub("", _STAMP.sub("", line)).removeprefix("[ERROR]").strip()
        return ""


@contextmanager
def overhear(wanted: bool) -> Iterator[Overheard]:
    """Everything still reaches standard error, afterwards. A process of one thread only."""
    heard = Overheard()
    if not wanted:
        yield heard
        return
    sys.stderr.flush()
    with tempfile.TemporaryFile() as file:
        kept = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield heard
        finally:
            with suppress(OSError, ValueError):
                sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            content = file.read()
            heard.text = content.decode("utf-8", "replace")
            os.write(2, content)
