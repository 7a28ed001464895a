"""A runtime's own error text, made fit for one line in somebody else's terminal."""

from __future__ import annotations

import re
from pathlib import Path

from trimtab_agent.runtimes.base import ModelRefused, OutOfMemory, WorkerError

FREE_MEMORY = "free memory on the device, or use a smaller model or batch"
MAX_LENGTH = 400
_ALLOW = "start its agent with --allow-code-in-models (TRIMTAB_ALLOW_CODE_IN_MODELS=1)"
_REPEAT_PROBE = 24
_FOLDER = re.compile(r"(?<![\w.:])/(?:[\w.@+-]+/)+")
_RUNTIME_SOURCE = "/onnxruntime_src/"
_NO_MEMORY = ("bad_alloc", "Failed to allocate memory")


def one_line(text: str, folder: Path | None = None) -> str:
    """Collapse to one line without the folder's path, without a message said again and again."""
    if folder is not None:
        for form in {str(folder), str(folder.resolve())}:
            text = text.replace(form + "/", "")
    text = _FOLDER.sub(_without_real_folder, " ".join(text.split()))
    text = _said_once(text)
    return text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - 3] + "..."


def refusal(error: Exception, folder: Path, doing: str = "") -> WorkerError:
    """What a runtime raised, as ours: mostly the model is to blame, sometimes the memory."""
    reason = one_line(f"{doing}: {error}" if doing else str(error), folder)
    if isinstance(error, MemoryError) or any(text in reason for text in _NO_MEMORY):
        return OutOfMemory(
            f"out of memory ({reason or 'the interpreter says no more'}): {FREE_MEMORY}"
        )
    return ModelRefused(reason)


def allow_it(instead: str) -> str:
    """What to do about a model that is refused as code. ``instead``: what else than allow it."""
    return f"where you trust it, {_ALLOW}, or {instead}"


def _without_real_folder(match: re.Match[str]) -> str:
    """Node names look like paths ("/layer1/conv/Conv"): only what is a folder is taken out."""
    path = match.group()
    return "" if path.startswith(_RUNTIME_SOURCE) or Path(path).is_dir() else path


def _said_once(text: str) -> str:
    again = text.find(text[:_REPEAT_PROBE], _REPEAT_PROBE) if len(text) > _REPEAT_PROBE else -1
    return text if again < 0 else text[:again].rstrip()
