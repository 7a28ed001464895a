"""Reads the trace that ONNX Runtime writes while it profiles (Chrome's trace event format)."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trimtab_agent.runtimes.operators import Operator, OperatorProfile

_RUN = "model_run"
_KERNEL = "_kernel_time"
_ARENA = "mem_arena_held"  # bytes, as text; newer releases only
_NS_PER_US = 1000  # the trace counts whole microseconds


@dataclass
class _Kernel:
    """``own_us``: the duration without that of operators in its subgraphs."""

    operator: tuple[str, str, str]
    thread: int
    start_us: int
    duration_us: int
    own_us: int

    @property
    def end_us(self) -> int:
        return self.start_us + self.duration_us


def read_profile(
    trace: Path, run_count: int, chosen: Collection[int], accelerators: Mapping[str, str]
) -> OperatorProfile:
    """See :meth:`Session.profile`; ``accelerators`` names the execution providers."""
    runs: list[int] = []
    kernels: list[_Kernel] = []
    held: list[int] = []
    for event in _events(trace):
        if event["cat"] == "Session" and event["name"] == _RUN:
            runs.append(int(event["ts"]))
        elif event["cat"] == "Node" and event["name"].endswith(_KERNEL):
            kernels.append(_kernel(event, accelerators))
            if _ARENA in event["args"]:
                held.append(int(event["args"][_ARENA]))
    if len(runs) < run_count:
        seen = f"ONNX Runtime's trace holds {len(runs)} of {run_count} inferences"
        return OperatorProfile((), f"{seen}: the model has too many operators for its profiler")
    _take_subgraphs_out(kernels)
    means = _means(kernels, sorted(runs)[-run_count:], chosen)
    return OperatorProfile(means, arena_bytes=max(held, default=None))


def _events(trace: Path) -> Iterator[dict[str, Any]]:
    """One event stands on a line: the trace of a large model is not held in memory at once."""
    with trace.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            text = line.strip().rstrip(",")
            if text not in ("", "[", "]"):
                yield json.loads(text)


def _kernel(event: Mapping[str, Any], accelerators: Mapping[str, str]) -> _Kernel:
    arguments = event["args"]
    kind, provider = str(arguments.get("op_name", "")), str(arguments.get("provider", ""))
    name = event["name"].removesuffix(_KERNEL) or f"{kind}_{arguments.get('node_index', '')}"
    duration = int(event["dur"])
    operator = (kind, name, accelerators.get(provider, provider))
    return _Kernel(operator, int(event["tid"]), int(event["ts"]), duration, duration)


def _take_subgraphs_out(kernels: Sequence[_Kernel]) -> None:
    """The time of an If or Loop holds that of the operators inside, which stand there too."""
    around: dict[int, list[_Kernel]] = defaultdict(list)
    for kernel in sorted(kernels, key=lambda each: (each.start_us, -each.duration_us)):
        stack = around[kernel.thread]
        while stack and kernel.start_us >= stack[-1].end_us:
            stack.pop()
        if stack and kernel.end_us <= stack[-1].end_us:
            stack[-1].own_us -= kernel.duration_us
        stack.append(kernel)


def _means(
    kernels: Sequence[_Kernel], runs: Sequence[int], chosen: Collection[int]
) -> tuple[Operator, ...]:
    """In the order in which they first ran; kernels before the first of ``runs`` do not count."""
    counts: dict[tuple[str, str, str], int] = defaultdict(int)
    totals: dict[tuple[str, str, str], int] = defaultdict(int)
    for kernel in kernels:
        if bisect_right(runs, kernel.start_us) - 1 in chosen:
            counts[kernel.operator] += 1
            totals[kernel.operator] += kernel.own_us
    return tuple(
        Operator(*operator, counts[operator] / len(chosen), total * _NS_PER_US / len(chosen))
        for operator, total in totals.items()
    )
