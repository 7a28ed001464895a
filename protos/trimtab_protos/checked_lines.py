"""One JSON record a line with its checksum, as the agent's journals and the host's ledgers are.

A line is eight hex digits of CRC-32, a space, the JSON, a newline. A reader stops at the first line
that does not check: what follows it cannot be trusted to be in order.
"""

from __future__ import annotations

import json
import zlib
from typing import Any

_HEAD_LENGTH = len(b"%08x " % 0)


def encode_record(record: dict[str, Any]) -> bytes:
    """ASCII: names of files may hold what is no UTF-8."""
    text = json.dumps(record, separators=(",", ":")).encode()
    return _head(text) + text + b"\n"


def decode_record(line: bytes) -> dict[str, Any]:
    """Raises ValueError where it is torn or damaged."""
    record: dict[str, Any] = json.loads(checked_text(line))
    return record


def checked_text(line: bytes) -> bytes:
    """The record's JSON, not read yet. Raises ValueError where the line is torn or damaged."""
    if not line.endswith(b"\n"):
        raise ValueError("the record is not complete")
    head, text = line[:_HEAD_LENGTH], line[_HEAD_LENGTH:-1]
    if not text or head != _head(text):  # nothing at all has a checksum, too
        raise ValueError("the record's checksum is wrong")
    return text


def _head(text: bytes) -> bytes:
    return b"%08x " % zlib.crc32(text)
