"""What a task sets for its warm-up and its count."""

from __future__ import annotations

from trimtab_agent.phases import CountLimits, WarmUpLimits
from trimtab_agent.worker.messages import WorkerTask


def warm_up_limits(task: WorkerTask) -> WarmUpLimits:
    return WarmUpLimits(
        min_count=task.min_warmup_count,
        min_duration_ns=task.warmup_duration_ns,
        max_duration_ns=task.max_warmup_duration_ns,
        tolerance=task.steady_tolerance,
    )


def count_limits(task: WorkerTask) -> CountLimits:
    return CountLimits(
        min_count=task.min_sample_count,
        min_duration_ns=task.min_duration_ns,
        max_duration_ns=task.max_duration_ns,
        percentile_count=task.percentile_sample_count,
        target_precision=task.target_precision,
    )
