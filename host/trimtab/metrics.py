"""Every metric by name: the same words in project files, JSON, tables and plots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Better = Literal["lower", "higher"]


@dataclass(frozen=True)
class MetricInfo:
    """``open_lower`` and ``open_upper``: the bound itself is never reached (a latency is above 0).

    A bound of None: there is none. ``unit`` is "" for a plain ratio; fractions run from 0 to 1.
    """

    name: str
    unit: str
    better: Better
    description: str
    lower_bound: float | None = None
    upper_bound: float | None = None
    open_lower: bool = False
    open_upper: bool = False


def _positive(name: str, unit: str, better: Better, description: str) -> MetricInfo:
    return MetricInfo(name, unit, better, description, lower_bound=0.0, open_lower=True)


def _not_negative(name: str, unit: str, better: Better, description: str) -> MetricInfo:
    return MetricInfo(name, unit, better, description, lower_bound=0.0)


METRICS: dict[str, MetricInfo] = {
    info.name: info
    for info in (
        _positive("latency_p50_ms", "ms", "lower", "median time of one inference"),
        _positive("latency_p90_ms", "ms", "lower", "9 of 10 inferences are at most this slow"),
        _positive("latency_p99_ms", "ms", "lower", "99 of 100 inferences are at most this slow"),
        _positive("latency_mean_ms", "ms", "lower", "mean time of one inference"),
        _positive(
            "latency_sustained_ms", "ms", "lower", "median over a sustained load's last third"
        ),
        _positive("sustained_slowdown", "", "lower", "that over the median of its first interval"),
        _not_negative("io_ms", "ms", "lower", "copying inputs in and outputs out, once"),
        _positive("load_ms", "ms", "lower", "cold load of the model in a fresh process"),
        _positive("first_inference_ms", "ms", "lower", "the first inference after loading"),
        _positive("throughput_per_s", "1/s", "higher", "samples a second, back to back"),
        _positive("memory_peak_mb", "MB", "lower", "peak resident memory during inference"),
        _positive("memory_load_peak_mb", "MB", "lower", "peak resident memory while loading"),
        _not_negative("memory_model_mb", "MB", "lower", "what the model adds to the runtime"),
        _positive("memory_runtime_mb", "MB", "lower", "the runtime imported, without a model"),
        _not_negative("memory_retained_mb", "MB", "lower", "not returned after closing the model"),
        _positive("memory_loaded_mb", "MB", "lower", "model loaded, inputs in, not yet run"),
        _not_negative("memory_inference_mb", "MB", "lower", "peak above the loaded model"),
        _not_negative("memory_peak_anon_mb", "MB", "lower", "of the peak: what cannot be evicted"),
        _not_negative("memory_peak_file_mb", "MB", "lower", "of the peak: pages of files"),
        _not_negative("memory_model_file_mb", "MB", "lower", "pages of files the model adds"),
        _not_negative("memory_arena_mb", "MB", "lower", "held by the runtime's own arena"),
        _not_negative("memory_accelerator_mb", "MB", "lower", "memory of the accelerator itself"),
        _positive("energy_mj", "mJ", "lower", "energy of one inference, idle power included"),
        MetricInfo("energy_net_mj", "mJ", "lower", "energy of one inference above idle"),
        _positive("power_mean_w", "W", "lower", "mean power while measuring"),
        _not_negative("power_idle_w", "W", "lower", "power with the model loaded and idle"),
        _positive("battery_hours", "h", "higher", "a full battery at the power measured"),
        _positive("battery_share_per_1k", "", "lower", "of a full charge, for 1000 inferences"),
        _not_negative("size_mb", "MB", "lower", "the artifact's files"),
        _not_negative("download_mb", "MB", "lower", "the artifact as an update, zstd-compressed"),
        _not_negative("parameters", "", "lower", "of the model, shared ones counted once"),
        _not_negative("macs", "", "lower", "multiply-accumulates of one sample"),
        MetricInfo("sparsity", "fraction", "higher", "parameters that are zero", 0.0, 1.0),
        MetricInfo(
            "accuracy", "fraction", "higher", "the task's metric through the runtime", 0.0, 1.0
        ),
        MetricInfo(
            "accuracy_drop",
            "fraction",
            "lower",
            "accuracy of the float model minus this one's",
            -1.0,
            1.0,
            open_lower=True,
        ),
        MetricInfo(
            "worst_class_drop",
            "fraction",
            "lower",
            "accuracy_drop of the class that lost most",
            -1.0,
            1.0,
            open_lower=True,
        ),
        MetricInfo(
            "robust_accuracy", "fraction", "higher", "mean accuracy on corrupted inputs", 0.0, 1.0
        ),
        _not_negative("accuracy_retention", "", "higher", "accuracy over the float model's"),
        _positive("compression_ratio", "", "higher", "size of the float model over this one's"),
        _positive("speedup", "", "higher", "median latency of the float model over this one's"),
        MetricInfo("agreement", "fraction", "higher", "same answer as the float model", 0.0, 1.0),
        MetricInfo(
            "sqnr_db",
            "dB",
            "higher",
            "reference outputs over the difference from them, the worst output; at most 144.5",
        ),
        _not_negative(
            "max_abs_difference", "", "lower", "largest difference from the reference's outputs"
        ),
    )
}
