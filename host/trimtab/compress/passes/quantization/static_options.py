"""Settings of static quantization that both formats share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from trimtab.compress.passes.quantization.ranges import DEFAULT_PERCENTILE

Activations = Literal["uint8", "int8", "int16"]


@dataclass(frozen=True)
class StaticOptions:
    """``activations`` None: what the format does best, uint8 in ONNX and int8 in TFLite."""

    percentile: float = DEFAULT_PERCENTILE
    per_channel: bool = True
    activations: Activations | None = None

    @property
    def weights(self) -> str:
        return f"int8 weights per {'channel' if self.per_channel else 'tensor'}"


def kept_float(count: int) -> str:
    if not count:
        return ""
    return f" ({count} operators on values beyond 1e6, such as masks, stay float)"
