"""What a runtime says of a file, without its error codes and this machine's paths."""

from __future__ import annotations

import re

_ONNX_CODE = re.compile(r"\[ONNXRuntimeError\] : \d+ : \w+ : (?:Load model from .* failed:)?")
_ONNX_SOURCE = re.compile(r"/onnxruntime_src/\S+ .*?\) ")


def plain_reason(error: BaseException) -> str:
    """One line; empty where the runtime said nothing."""
    text = " ".join(str(error).split())
    return _ONNX_SOURCE.sub("", _ONNX_CODE.sub("", text)).strip()
