"""Memory figures from what the device read. A MB is 10^6 bytes."""

from __future__ import annotations

from collections.abc import Mapping

from trimtab.measure.unavailable import unavailable
from trimtab.metrics import METRICS
from trimtab.records import Metric, RawArm

_BYTES_PER_MB = 1e6
_READ = {
    "memory_peak_mb": "peak",
    "memory_load_peak_mb": "load_peak",
    "memory_model_mb": "model",
    "memory_runtime_mb": "runtime",
    "memory_retained_mb": "retained",
}
# An agent that knows these gives each of them, or a reason.
_READ_LATER = {
    "memory_loaded_mb": "loaded",
    "memory_peak_file_mb": "peak_file_backed",
    "memory_model_file_mb": "model_file_backed",
    "memory_arena_mb": "arena",
}
_DIFFERENCES = {
    "memory_inference_mb": ("memory_peak_mb", "memory_loaded_mb"),
    "memory_peak_anon_mb": ("memory_peak_mb", "memory_peak_file_mb"),
}
_ACCELERATOR = "memory_accelerator_mb"
_NOT_TOLD = "the device's operating system did not tell"
_OLDER = "not measured by that version of the agent"


def memory_figures(raw: RawArm) -> dict[str, Metric]:
    figures = {name: _read(raw, name, key, _NOT_TOLD) for name, key in _READ.items()}
    figures |= {name: _read(raw, name, key, _OLDER) for name, key in _READ_LATER.items()}
    figures[_ACCELERATOR] = _absent(raw, _ACCELERATOR, _OLDER)
    return figures | {
        name: _difference(name, figures[whole], figures[part])
        for name, (whole, part) in _DIFFERENCES.items()
    }


def file_backed_share(metrics: Mapping[str, Metric]) -> float | None:
    """Of the peak, the share of files' pages that the model itself added."""
    peak, mapped = (metrics.get(name) for name in ("memory_peak_mb", "memory_model_file_mb"))
    if peak is None or mapped is None or not peak.value or mapped.value is None:
        return None
    return mapped.value / peak.value


def _read(raw: RawArm, name: str, key: str, otherwise: str) -> Metric:
    if key not in raw.memory_bytes:
        return _absent(raw, name, otherwise)
    return _figure(name, raw.memory_bytes[key] / _BYTES_PER_MB)


def _difference(name: str, whole: Metric, part: Metric) -> Metric:
    for metric in (whole, part):
        if metric.value is None:
            return unavailable(name, metric.reason or _NOT_TOLD)
    assert whole.value is not None  # noqa: S101 - both are there, see above
    assert part.value is not None  # noqa: S101
    return Metric(max(whole.value - part.value, 0.0), METRICS[name].unit, "derived")


def _absent(raw: RawArm, name: str, otherwise: str) -> Metric:
    """With the device's own reason for this figure, else for all of them."""
    reason = raw.unavailable.get(name) or raw.unavailable.get("memory") or otherwise
    return unavailable(name, reason)


def _figure(name: str, value: float) -> Metric:
    return Metric(value, METRICS[name].unit, "measured")
