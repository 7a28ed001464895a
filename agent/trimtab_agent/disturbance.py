"""Checks over what went on around an arm's repeats: load, heat, throttling, warm-up; pure.

``measuring`` always means the phase in which the samples were taken, its pilot included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from trimtab_agent.foreign import ForeignLoad
from trimtab_agent.paging import Paging
from trimtab_agent.records import Check

FOREIGN_LOAD_LIMIT = 0.10
FREQUENCY_DROP = 0.10
_LATENCY = ("latency",)
# Of a device in another state, neither is its own.
OF_STATE = ("latency", "energy", "power", "battery")
_NS_PER_S = 1e9


@dataclass(frozen=True)
class Reading:
    """Of one moment, from the job's start. None: neither kernel nor firmware tells.

    ``runnable``: threads of the whole machine that run or wait for a processor.
    """

    offset_ns: int
    frequency_mhz: float | None = None
    flags: tuple[str, ...] | None = None
    throttle_count: int | None = None
    temperature_c: float | None = None
    runnable: int | None = None


@dataclass(frozen=True)
class Gate:
    """One wait for the start temperature. ``met`` None: there was no temperature to see."""

    limit_c: float
    temperature_c: float | None
    scope: str
    waited_ns: int
    met: bool | None


@dataclass(frozen=True)
class Seen:
    """Around one repeat. None: not asked for, or not told."""

    settled: bool | None = None
    spread: float | None = None
    warmup_ns: int | None = None
    load: ForeignLoad | None = None
    readings: tuple[Reading, ...] = ()
    gate: Gate | None = None
    paging: Paging | None = None
    sample_count: int = 0

    @property
    def waited_for_pages(self) -> bool:
        return self.paging is not None and self.paging.keeps_waiting(self.sample_count)


def free_processors(load: ForeignLoad, threads: int) -> int:
    """How many others may use without taking one that the worker's threads need."""
    return max(load.processors - threads, 0)


def crowds_out(load: ForeignLoad, threads: int) -> bool:
    """Whether others wanted, or took, more processors than the worker leaves free.

    What they took alone does not tell: the kernel may share out by session, so that a worker keeps
    its processor to itself while everybody else queues for the rest.
    """
    free = free_processors(load, threads)
    if load.share <= FOREIGN_LOAD_LIMIT:
        return False
    wanted_more = load.runnable is not None and load.runnable > free
    return wanted_more or load.share > free / load.processors + FOREIGN_LOAD_LIMIT


def spoiled_by(seen: Seen, threads: int) -> str | None:
    """Why one repeat is worth measuring again; None where it is not."""
    if seen.load is not None and crowds_out(seen.load, threads):
        return f"foreign load {load_text(seen.load)}"
    onset = throttle_onset(seen.readings)
    if onset is not None:
        return f"throttled: {onset}"
    if seen.waited_for_pages:
        return "the worker waited for pages from the disk"
    if seen.settled is False:
        return f"the warm-up did not settle (windows {seen.spread or 0:.1%} apart)"
    return None


def foreign_load_check(before: float | None, repeats: Sequence[Seen], threads: int) -> Check:
    """``before``: the share before the job, with no worker running.

    Load that crowds the worker out while measuring invalidates; load that left enough processors
    free for it warns.
    """
    loads = [seen.load for seen in repeats if seen.load is not None]
    if before is None and not loads:
        seen = "this system does not tell processor times"
        return Check("FOREIGN_LOAD", "unknown", False, _LATENCY, seen)
    worst = max(loads, key=lambda load: (crowds_out(load, threads), load.share), default=None)
    text = _shares_text(before, worst)
    advice = "stop what else runs, and measure again"
    if worst is not None and crowds_out(worst, threads):
        free = free_processors(worst, threads)
        wanted = "" if worst.runnable is None else f"{worst.runnable} of their threads at work, "
        seen = f"{text} ({wanted}{free} of {worst.processors} processors free for them)"
        return Check("FOREIGN_LOAD", "failed", True, _LATENCY, seen, advice)
    seen = f"{text} (limit {FOREIGN_LOAD_LIMIT:.0%})"
    if max(before or 0.0, worst.share if worst else 0.0) > FOREIGN_LOAD_LIMIT:
        return Check("FOREIGN_LOAD", "failed", False, _LATENCY, seen, advice)
    return Check("FOREIGN_LOAD", "passed", False, _LATENCY, seen)


def steady_check(repeats: Sequence[Seen], tolerance: float) -> Check:
    """Warns only: what it lets through differs between repeats, and the interval shows that."""
    name = "STEADY"
    if not tolerance:
        return Check(
            name, "not_applicable", False, _LATENCY, "the warm-up went by its minimums alone"
        )
    unsettled = [seen for seen in repeats if seen.settled is False]
    limit = f"tolerance {tolerance:.1%}"
    if unsettled:
        worst = max(seen.spread or 0.0 for seen in unsettled)
        text = (
            f"the warm-up of {len(unsettled)} of {len(repeats)} repeats never settled: medians "
            f"still {worst:.1%} apart at its end ({limit})"
        )
        advice = "raise max_warmup_s, fix the governor, or stop what else runs"
        return Check(name, "failed", False, _LATENCY, text, advice)
    if not repeats or any(seen.settled is None for seen in repeats):
        text = "too few inferences fitted into the longest warm-up to compare their medians"
        return Check(name, "unknown", False, _LATENCY, text, "raise max_warmup_s")
    longest = max(seen.warmup_ns or 0 for seen in repeats) / _NS_PER_S
    text = f"in every repeat, after {longest:.2f} s at most ({limit})"
    return Check(name, "passed", False, _LATENCY, text)


def temperature_check(repeats: Sequence[Seen]) -> Check | None:
    """None where no start temperature was asked for."""
    gates = [seen.gate for seen in repeats if seen.gate is not None]
    if not gates:
        return None
    name, limit = "START_TEMPERATURE", f"limit {gates[0].limit_c:g} °C"
    if any(gate.met is None for gate in gates):
        seen = f"no thermal zone in /sys/class/thermal answers ({limit})"
        return Check(name, "unknown", True, OF_STATE, seen)
    hottest = max(gates, key=lambda gate: gate.temperature_c or 0.0)
    temperature = f"{hottest.temperature_c:.1f} °C ({hottest.scope})"
    if any(not gate.met for gate in gates):
        waited = max(gate.waited_ns for gate in gates) / _NS_PER_S
        seen = f"still {temperature} after waiting {waited:.1f} s ({limit})"
        advice = "cool the device, or raise the limit or the cooldown time-out"
        return Check(name, "failed", True, OF_STATE, seen, advice)
    return Check(name, "passed", True, OF_STATE, f"at most {temperature} at a start ({limit})")


def not_throttled_check(repeats: Sequence[Seen]) -> Check:
    name = "NOT_THROTTLED"
    for index, seen in enumerate(repeats):
        onset = throttle_onset(seen.readings)
        if onset is not None:
            text = f"in repeat {index + 1} of {len(repeats)}: {onset}"
            advice = "cool the device, use its own power supply, or ask for a start temperature"
            return Check(name, "failed", True, OF_STATE, text, advice)
    if not any(seen.readings for seen in repeats):
        return Check(name, "unknown", True, OF_STATE, "was not looked at in this schedule")
    told = [_told(seen.readings) for seen in repeats]
    if not told or any(not sources for sources in told):
        text = "no throttle flags and no frequencies are told here (usual on a virtual machine)"
        return Check(name, "unknown", True, OF_STATE, text)
    sources = " and ".join(sorted(set.union(*told)))
    return Check(name, "passed", True, OF_STATE, f"by {sources}")


def throttle_onset(readings: Sequence[Reading]) -> str | None:
    """What began when: a flag, a counter that grew, or a frequency that dropped and stayed down.

    One slow reading alone is a governor at work; two in a row, well below what the processor had
    reached while measuring, are a limit.
    """
    events = [
        event
        for event in (_flag_onset(readings), _count_onset(readings), _drop_onset(readings))
        if event is not None
    ]
    if not events:
        return None
    reading, what = min(events, key=lambda event: event[0].offset_ns)
    into = (reading.offset_ns - readings[0].offset_ns) / _NS_PER_S
    heat = "" if reading.temperature_c is None else f", at {reading.temperature_c:.1f} °C"
    job = reading.offset_ns / _NS_PER_S
    return f"{what} from {into:.2f} s into measuring on ({job:.2f} s into the job){heat}"


def _flag_onset(readings: Sequence[Reading]) -> tuple[Reading, str] | None:
    flagged = next((reading for reading in readings if reading.flags), None)
    return None if flagged is None else (flagged, ", ".join(flagged.flags or ()))


def _count_onset(readings: Sequence[Reading]) -> tuple[Reading, str] | None:
    for before, after in pairwise(readings):
        if (after.throttle_count or 0) > (before.throttle_count or 0):
            return after, "the processor counts a throttling"
    return None


def _drop_onset(readings: Sequence[Reading]) -> tuple[Reading, str] | None:
    known = [reading for reading in readings if reading.frequency_mhz is not None]
    highest = 0.0
    for reading, following in pairwise(known):
        now, then = reading.frequency_mhz or 0.0, following.frequency_mhz or 0.0
        highest = max(highest, now)
        if max(now, then) < (1 - FREQUENCY_DROP) * highest:
            return reading, f"frequency down from {highest:.0f} to {now:.0f} MHz"
    return None


def _told(readings: Sequence[Reading]) -> set[str]:
    sources = set()
    if any(reading.flags is not None for reading in readings):
        sources.add("throttle flags")
    if any(reading.frequency_mhz is not None for reading in readings):
        sources.add("frequency")
    return sources


def _shares_text(before: float | None, worst: ForeignLoad | None) -> str:
    parts = [] if before is None else [f"{before:.0%} before"]
    if worst is not None:
        parts.append(f"{load_text(worst)} while measuring")
    return "processor time used by others: " + ", ".join(parts)


def load_text(load: ForeignLoad) -> str:
    named = list(load.culprits)
    if load.stolen > FOREIGN_LOAD_LIMIT / 2:
        named.append(f"other virtual machines ({load.stolen:.0%} stolen)")
    return f"{load.share:.0%}" + (f" by {', '.join(named)}" if named else "")
