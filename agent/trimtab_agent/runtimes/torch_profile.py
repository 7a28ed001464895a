"""Operators' own times from torch.profiler, in runs of their own: it cannot be left on for long."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from statistics import median
from typing import Any

from trimtab_agent.runtimes.operators import Operator, OperatorProfile, middle_half

_US_TO_NS = 1000
_SOURCE = "torch.profiler, inferences of its own: it slows each operator by a few microseconds"
_RUN = "trimtab run"


def profile_module(run: Callable[[], None], run_count: int) -> OperatorProfile:
    """Times without those of operators called inside; means over the middle half of the runs."""
    from torch.profiler import ProfilerActivity, profile, record_function

    latencies = []
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        for _ in range(run_count):
            start = time.perf_counter_ns()
            with record_function(_RUN):
                run()
            latencies.append(time.perf_counter_ns() - start)
    operators = _means(list(profiler.events() or ()), middle_half(latencies))
    if not operators:
        return OperatorProfile((), "torch.profiler saw no operator")
    return OperatorProfile(operators, source=_SOURCE, p50_ns=median(latencies))


def _means(events: Sequence[Any], chosen: Collection[int]) -> tuple[Operator, ...]:
    starts = sorted(event.time_range.start for event in events if event.name == _RUN)
    counts: dict[str, int] = defaultdict(int)
    totals: dict[str, float] = defaultdict(float)
    for event in events:
        # Names without a namespace are marks: this module's, and the profiler's own.
        if "::" in event.name and bisect_right(starts, event.time_range.start) - 1 in chosen:
            counts[event.name] += 1
            totals[event.name] += event.self_cpu_time_total
    return tuple(
        Operator(
            name.rpartition("::")[2],
            name,
            "cpu",
            counts[name] / len(chosen),
            totals[name] * _US_TO_NS / len(chosen),
        )
        for name in totals
    )
