"""The libraries of the extra ``compress``, which measuring does without."""

from __future__ import annotations

from importlib.util import find_spec

from trimtab.records import UserError

COMPRESS_MODULES = (
    "torch",
    "onnx",
    "onnxscript",
    "onnxruntime",
    "onnxconverter_common",
    "litert_torch",
    "ai_edge_quantizer",
    "ai_edge_litert",
)


def missing_modules(*names: str) -> tuple[str, ...]:
    """Those that are not installed; nothing is imported."""
    return tuple(name for name in names if find_spec(name) is None)


def need_compress(what: str, *names: str) -> None:
    """Raises UserError where one of the modules (else: any of the extra) is not installed."""
    missing = missing_modules(*(names or COMPRESS_MODULES))
    if missing:
        raise UserError(
            f"{what} needs trimtab[compress] ({', '.join(missing)} not installed)",
            "pip install 'trimtab[compress]'",
        )
