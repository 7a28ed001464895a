"""Why torch and its converters could not take a model, in the user's words and with their line."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from pathlib import Path

from trimtab.export.base import one_line

_DATA_DEPENDENT = frozenset(
    {"GuardOnDataDependentSymNode", "ConcretizationTypeError", "TracerBoolConversionError"}
)
_NO_OPERATOR = re.compile(r"No ONNX function found for <OpOverload\(op='([\w.]+)'")
_NO_LOWERING = re.compile(r"Lowering not found: ([\w.]+)")


def export_reason(error: BaseException, what: str, task_file: Path) -> str:
    """``what``: "onnx", "tflite", ...; one line."""
    errors = list(_chain(error))
    place = next((found for each in errors if (found := _place(each, task_file))), "")
    if any(type(each).__name__ in _DATA_DEPENDENT for each in errors):
        return (
            f"what the model computes depends on values in its data{place}, which {what} cannot "
            "carry: write it with torch.where or torch.cond, without if, item() or int()"
        )
    for each in errors:
        missing = _NO_OPERATOR.search(str(each)) or _NO_LOWERING.search(str(each))
        if missing:
            name = missing[1].removesuffix(".default")
            return f"{what} has no equivalent of the operator {name}{place}"
    return f"the model cannot be exported to {what}{place}: {one_line(error)}"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _place(error: BaseException, task_file: Path) -> str:
    """The deepest line of the user's own code."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).parent == task_file.parent
    ]
    return f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
