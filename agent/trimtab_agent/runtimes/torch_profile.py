"""Operators' own times from torch.profiler, in runs of their own: it cannot be left on for long."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from statistics import median

from trimtab_agent.runtimes.operators import Operator, OperatorProfile

_US_TO_NS = 1000
_SOURCE = "torch.profiler, inferences of its own: it slows each operator by a few microseconds"


def profile_module(run: Callable[[], None], run_count: int) -> OperatorProfile:
    """Times without those of operators called inside; means over ``run_count`` runs."""
    from torch.profiler import ProfilerActivity, profile

    latencies = []
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        for _ in range(run_count):
            start = time.perf_counter_ns()
            run()
            latencies.append(time.perf_counter_ns() - start)
    counts: dict[str, int] = defaultdict(int)
    totals: dict[str, float] = defaultdict(float)
    for event in profiler.events() or ():
        counts[event.name] += 1
        totals[event.name] += event.self_cpu_time_total
    operators = tuple(
        Operator(
            name.removeprefix("aten::"),
            name,
            "cpu",
            counts[name] / run_count,
            totals[name] * _US_TO_NS / run_count,
        )
        for name in totals
        if "::" in name  # the others are marks of the profiler's own
    )
    if not operators:
        return OperatorProfile((), "torch.profiler saw no operator")
    return OperatorProfile(operators, source=_SOURCE, p50_ns=median(latencies))
