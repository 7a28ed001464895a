"""How often a source is read: often enough for its updates, seldom enough to cost nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from trimtab_agent.middle import median
from trimtab_agent.power.reader import SourcePlan
from trimtab_agent.probes.base import Sensor

SHORTEST_PERIOD_S = 0.020
_OWN_SHARE = 0.003  # of one processor that reading may take: whoever shares its core feels more
_WAITING_SHARE = 0.5  # of the time that a read may be under way
LOOK_S = 2.0
_ENOUGH_CHANGES = 8
_FEWEST_CHANGES = 4
_LOOK_PERIOD_S = 0.001
_CHILDREN_NS = 1e9


@dataclass(frozen=True)
class Pace:
    """``update_ns``: by sensor, the period at which what it tells was seen to change."""

    plan: SourcePlan
    update_ns: dict[str, int]


def find_pace(source: str, sensors: Sequence[Sensor], look_s: float = LOOK_S) -> Pace:
    """Reads as fast as it can for a moment: what a read costs, and how often anything is new.

    A sensor that raises is left to the measurement, which says what it saw.
    """
    looks: dict[str, list[tuple[int, float]]] = {each.info.name: [] for each in sensors}
    count, busy_ns, begin = 0, _busy_ns(), time.perf_counter_ns()
    waited_ns = 0
    while time.perf_counter_ns() - begin < look_s * 1e9 and not _seen_enough(looks):
        before = time.perf_counter_ns()
        for sensor in sensors:
            _look(sensor, looks[sensor.info.name])
        count, waited_ns = count + 1, waited_ns + time.perf_counter_ns() - before
        time.sleep(_LOOK_PERIOD_S)
    busy = (_busy_ns() - busy_ns) / count / 1e9
    period_s = max(SHORTEST_PERIOD_S, busy / _OWN_SHARE, waited_ns / count / 1e9 / _WAITING_SHARE)
    updates = {name: period for name, seen in looks.items() if (period := _update_ns(seen))}
    return Pace(SourcePlan(source, tuple(sensors), period_s, busy), updates)


def _look(sensor: Sensor, seen: list[tuple[int, float]]) -> None:
    """Keeps the moment at which a value was new, and the first."""
    try:
        value = sensor.read()
    except Exception:
        return
    if not seen or seen[-1][1] != value:
        seen.append((time.perf_counter_ns(), value))


def _seen_enough(looks: dict[str, list[tuple[int, float]]]) -> bool:
    return all(len(seen) > _ENOUGH_CHANGES for seen in looks.values())


def _update_ns(seen: Sequence[tuple[int, float]]) -> int:
    """0: it changed too seldom to tell. The first value had been there for a while."""
    moments = [moment for moment, _ in seen[1:]]
    if len(moments) < _FEWEST_CHANGES:
        return 0
    return int(median(after - before for before, after in pairwise(moments)))


def _busy_ns() -> int:
    """Of this thread and of the programs it ran."""
    ran = os.times()
    return time.thread_time_ns() + int((ran.children_user + ran.children_system) * _CHILDREN_NS)
