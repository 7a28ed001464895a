"""What each layer's quantization saves in time, from ``trimtab bench --profile --format json``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trimtab.compress.passes.base import PassRejected
from trimtab.compress.passes.quantization.layers import Operator

_CONVOLUTION = re.compile(r"conv(?!ert)", re.IGNORECASE)
_PRODUCT = re.compile(r"gemm|matmul|fully.?connected|batch matrix", re.IGNORECASE)
_HOW = "trimtab bench FLOAT INT8 --profile --format json > FILE"


@dataclass(frozen=True)
class LayerTime:
    float_ms: float
    int8_ms: float

    @property
    def saved_ms(self) -> float:
        return self.float_ms - self.int8_ms


def layer_times(
    path: Path, float_sha256: str, model_format: str, layers: Sequence[Operator]
) -> dict[str, LayerTime]:
    """By the layers' keys, of convolutions and matrix products; others are not told apart.

    Raises PassRejected for whatever is not such a profile.
    """
    results = _results(path)
    ours = [each for each in results if each["artifact"]["sha256"] == float_sha256]
    others = [
        each
        for each in results
        if each["artifact"]["sha256"] != float_sha256 and each["artifact"]["format"] == model_format
    ]
    if not ours:
        raise PassRejected(f"{path.name} has no profile of this float file: {_HOW}")
    if not others:
        raise PassRejected(f"{path.name} has no profile of an int8 file beside it: {_HOW}")
    before, after = _times(ours[0], layers, path), _times(others[0], layers, path)
    return {key: LayerTime(before[key], after[key]) for key in before if key in after}


def _results(path: Path) -> list[Mapping[str, Any]]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return [
            each for each in document["results"] if each["profile"] and each["artifact"]["sha256"]
        ]
    except OSError as error:
        raise PassRejected(f"{path}: {error.strerror}; make it with {_HOW}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise PassRejected(f"{path} is not what {_HOW} writes") from error


def _times(result: Mapping[str, Any], layers: Sequence[Operator], path: Path) -> dict[str, float]:
    """By name where the runtime kept the names, else by order: the n-th of its kind."""
    name = result["artifact"]["file"]
    operators = result["profile"]["operators"]
    if not operators or any(each["total_ms"] is None for each in operators):
        reason = result["profile"]["unavailable"] or "no times"
        raise PassRejected(f"the profile of {name} in {path.name} has no times: {reason}")
    by_name = {each["name"].partition("_token_")[0]: each["total_ms"] for each in operators}
    if all(layer.key in by_name for layer in layers):
        return {layer.key: by_name[layer.key] for layer in layers}
    times: dict[str, float] = {}
    for kind in ("convolution", "product"):
        wanted = [layer for layer in layers if operator_kind(layer.type) == kind]
        found = [each["total_ms"] for each in operators if operator_kind(each["type"]) == kind]
        if len(wanted) != len(found):
            raise PassRejected(
                f"the profile of {name} has {len(found)} operators like {kind}s, the file "
                f"{len(wanted)}: they cannot be told apart; weigh by bytes"
            )
        times |= {layer.key: ms for layer, ms in zip(wanted, found, strict=True)}
    return times


def operator_kind(operator_type: str) -> str:
    """``convolution``, ``product`` or nothing, by what runtimes call them."""
    if _CONVOLUTION.search(operator_type):
        return "convolution"
    return "product" if _PRODUCT.search(operator_type) else ""
