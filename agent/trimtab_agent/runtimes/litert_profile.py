"""Operators' times from LiteRT's compiled model, one inference at a time."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median

from trimtab_agent.runtimes.litert_compiled import CompiledModel, CompiledModelError, Event
from trimtab_agent.runtimes.litert_operators import BUILT_IN, DELEGATED
from trimtab_agent.runtimes.operators import Operator, OperatorProfile, middle_half

SOURCE = (
    "times of LiteRT's compiled model (the same package, with XNNPACK), fed with zeros: "
    "the interpreter that is measured tells none"
)
_WARMUP_COUNT = 5
_NS_PER_US = 1000  # the profiler counts whole microseconds
# TFLite's event types; a delegate that tells its operators has no event for the group.
_OPERATOR = 1 << 1
_DELEGATED_OPERATOR = 1 << 3


def profile_compiled(
    model: Path, thread_count: int, run_count: int, names: Mapping[int, str]
) -> OperatorProfile:
    """``names``: of the file's operators, by position. Raises CompiledModelError."""
    compiled = CompiledModel(model, thread_count)
    for _ in range(_WARMUP_COUNT):
        compiled.run()
    latencies: list[int] = []
    runs: list[list[Event]] = []
    for _ in range(run_count):
        compiled.start_profiling()
        start = time.perf_counter_ns()
        compiled.run()
        latencies.append(time.perf_counter_ns() - start)
        runs.append(operator_events(compiled.stop_profiling()))
    if not runs or not all(runs):
        raise CompiledModelError("its profiler tells no operators")
    chosen = [runs[position] for position in sorted(middle_half(latencies))]
    return OperatorProfile(mean_of(chosen, names), source=SOURCE, p50_ns=median(latencies))


def operator_events(events: Sequence[Event]) -> list[Event]:
    """Operators of the main graph: what runs in a While's or If's graph is in that one's time."""
    kinds = (_OPERATOR, _DELEGATED_OPERATOR)
    return [event for event in events if event.kind in kinds and event.subgraph == 0]


def mean_of(runs: Sequence[Sequence[Event]], names: Mapping[int, str]) -> tuple[Operator, ...]:
    """Events of several runs of the same graph, put together by their place."""
    places: dict[tuple[int, str], list[Event]] = defaultdict(list)
    for run in runs:
        for place, event in enumerate(run):
            places[place, event.tag].append(event)
    together = [events for _, events in sorted(places.items())]
    return tuple(
        Operator(
            type=events[0].tag,
            name=name,
            ran_on=DELEGATED if events[0].kind == _DELEGATED_OPERATOR else BUILT_IN,
            count=len(events) / len(runs),
            duration_ns=sum(event.elapsed_us for event in events) * _NS_PER_US / len(runs),
        )
        for events, name in zip(
            together, _names([events[0] for events in together], names), strict=True
        )
    )


def _names(events: Sequence[Event], names: Mapping[int, str]) -> Iterator[str]:
    """A delegate renames and fuses what it takes: only its groups and their order are known."""
    group, last = 1, -1
    for event in events:
        if event.kind == _OPERATOR:
            yield names.get(event.index, "")
            continue
        group += event.index <= last
        last = event.index
        yield f"group {group}, step {event.index + 1}"
