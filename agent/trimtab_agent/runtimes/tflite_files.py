"""TensorFlow Lite files as data: what one refers to is read before a runtime opens it.

A FlatBuffer's few fields are read by hand: offsets and field numbers are those of the schema
(tensorflow/lite/schema/schema.fbs), and Python's generated reader is not on every device.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trimtab_agent.runtimes.base import ModelRefused

IDENTIFIER = b"TFL3"
_MODEL_OPERATOR_CODES, _MODEL_EXTERNAL_GROUPS = 1, 8
_CODE_CUSTOM, _GROUP_NAME = 1, 0
# TensorFlow's own operators, which read and write files: the whole of TensorFlow runs them.
_WHOLE_TENSORFLOW = "Flex"


@dataclass(frozen=True)
class _File:
    data: memoryview

    def root(self) -> int:
        return self._unsigned(0)

    def table(self, owner: int, number: int) -> int | None:
        """Where the field's value lies; None: the table does not have it."""
        vtable = owner - self._read("<i", owner)
        place = 4 + 2 * number
        if place + 2 > self._read("<H", vtable):
            return None
        offset = self._read("<H", vtable + place)
        return owner + offset if offset else None

    def tables_of(self, owner: int, number: int) -> Iterator[int]:
        """The tables in a vector."""
        field = self.table(owner, number)
        if field is None:
            return
        vector = field + self._unsigned(field)
        for index in range(self._unsigned(vector)):
            place = vector + 4 + 4 * index
            yield place + self._unsigned(place)

    def text(self, owner: int, number: int) -> str:
        field = self.table(owner, number)
        if field is None:
            return ""
        start = field + self._unsigned(field)
        length = self._unsigned(start)
        return bytes(self.data[start + 4 : start + 4 + length]).decode(errors="replace")

    def _unsigned(self, at: int) -> int:
        return self._read("<I", at)

    def _read(self, form: str, at: int) -> int:
        if at < 0:  # which struct would count from the end
            raise struct.error
        value: int = struct.unpack_from(form, self.data, at)[0]
        return value


def check_tflite(path: Path, whole_tensorflow: bool) -> None:
    """Raises ModelRefused where it keeps its weights in other files, or would call TensorFlow.

    LiteRT's compiled model reads such weights from wherever their name leads. What cannot be read
    here is left to the runtime, which verifies the same offsets.
    """
    try:
        groups, customs = _outer(path)
    except (struct.error, ValueError):  # empty, or no FlatBuffer
        return
    if groups:
        raise ModelRefused(
            f"it keeps weights in another file ({groups[0][:80]!r}), which is not read on a "
            "device: convert the model again into one file"
        )
    flex = sorted(name for name in customs if name.startswith(_WHOLE_TENSORFLOW))
    if flex and whole_tensorflow:
        raise ModelRefused(
            f"it uses TensorFlow's operator {flex[0][:80]}: those can read and write files, and "
            "are not run: convert the model without SELECT_TF_OPS"
        )


def _outer(path: Path) -> tuple[list[str], list[str]]:
    """Names of the groups of external buffers, and of the operators that are not built in."""
    with path.open("rb") as file:
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    if bytes(data[4:8]) != IDENTIFIER:
        return [], []
    model = _File(data)
    root = model.root()
    groups = [
        model.text(each, _GROUP_NAME) for each in model.tables_of(root, _MODEL_EXTERNAL_GROUPS)
    ]
    codes = [
        model.text(each, _CODE_CUSTOM) for each in model.tables_of(root, _MODEL_OPERATOR_CODES)
    ]
    return groups, codes
