"""The device's power sensors as jobs use them: found once, read around each repeat."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

from trimtab_agent.bounded import ANSWER_S, NoAnswer, within
from trimtab_agent.power.pace import LOOK_S, Pace, find_pace
from trimtab_agent.power.reader import Series, SourcePlan, SourceReader
from trimtab_agent.probes.base import Sensor
from trimtab_agent.probes.registry import discover, why_no_power
from trimtab_agent.records import SensorInfo

UNITS = ("mW", "mJ")
_FOR_THE_DEVICE = ("total", "addend")
_UPDATES_WANTED = 20
_SHORTEST_IDLE_NS = 500_000_000
_LONGEST_IDLE_NS = 10_000_000_000
_READINGS_OF_SUSTAINED = 1 << 16
_ANSWER_S = ANSWER_S


@dataclass
class PowerSeen:
    """Around one repeat: ``series`` by sensor; ``failures``: of those that gave up, the reason."""

    series: dict[str, Series] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PowerPlan:
    """What is read, and how long the worker sleeps and measures so that enough is told.

    Empty where nothing stands for the whole device; ``problem`` says why although there are some.
    """

    paces: tuple[Pace, ...] = ()
    sensors: tuple[SensorInfo, ...] = ()
    idle_ns: int = 0
    min_duration_ns: int = 0
    problem: str = ""


_HANGS = f"one hangs: looking for sensors took over {_ANSWER_S:g} s"
_NOT_COUNTED = "what power sensors there are tell of something else than the device"
NOT_INTERLEAVED = PowerPlan(problem="an interleaved comparison measures no energy")


class PowerMeter:
    """``root`` is where the kernel's files are read. One a device: it knows who hangs."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._paces: dict[str, Pace] = {}
        self._hanging: dict[str, SourceReader] = {}
        self._silent: dict[str, str] = {}
        self._reading: list[SourceReader] = []

    async def plan(self) -> PowerPlan:
        """Looks which sensors there are; how often a new one changes takes two seconds to see."""
        self._hanging = {name: each for name, each in self._hanging.items() if each.is_alive}
        try:
            found = await within(_ANSWER_S, discover, self._root)
        except NoAnswer:
            return PowerPlan(problem=_HANGS)
        sensors = [each for each in found if _wanted(each)]
        if not any(each.info.role in _FOR_THE_DEVICE for each in sensors):
            seen = _nothing_stands_for_it(sensors, found)
            return PowerPlan(problem=seen or await self._why_none(found))
        paces = []
        for source, each in _by_source(sensors):
            pace = await self._pace(source, each)
            paces.extend([] if pace is None else [pace])
        return _planned(paces, [self._without_answer(each) for each in sensors])

    async def _why_none(self, found: Sequence[Sensor]) -> str:
        infos = [each.info for each in found]
        try:
            return await within(_ANSWER_S, why_no_power, self._root, infos) or _NOT_COUNTED
        except NoAnswer:
            return _HANGS

    async def _pace(self, source: str, sensors: tuple[Sensor, ...]) -> Pace | None:
        """None where a read of it has not returned."""
        if source in self._hanging or source in self._silent:
            return None
        key = " ".join((source, *(each.info.name for each in sensors)))
        if key not in self._paces:
            try:
                self._paces[key] = await within(
                    LOOK_S + _ANSWER_S, find_pace, source, sensors, LOOK_S
                )
            except NoAnswer:
                self._silent[source] = f"it did not answer within {_ANSWER_S:g} s"
                return None
        known = self._paces[key]
        return replace(known, plan=replace(known.plan, sensors=sensors))

    def _without_answer(self, sensor: Sensor) -> SensorInfo | None:
        """None: it is read."""
        reason = self._silent.get(sensor.source, "")
        if sensor.source in self._hanging:
            silent_s = self._hanging[sensor.source].silent_s
            reason = f"a read that began {silent_s:.0f} s ago has not returned"
        return replace(sensor.info, unavailable_reason=reason) if reason else None

    @asynccontextmanager
    async def reading(
        self, plan: PowerPlan, origin_ns: int, sustain_ns: int | None = None
    ) -> AsyncIterator[PowerSeen]:
        """What was seen is complete when the context is left; of a sustained load it is read less
        often, so that there is room for all of it."""
        seen = PowerSeen()
        shortest_s = (sustain_ns or 0) / 1e9 / _READINGS_OF_SUSTAINED
        readers = [
            SourceReader(_not_faster(pace.plan, shortest_s), origin_ns) for pace in plan.paces
        ]
        for reader in readers:
            reader.start()
        self._reading = readers
        try:
            yield seen
        finally:
            self._reading = []
            for reader in readers:
                await self._collect(reader, seen)

    def latest_w(self) -> float | None:
        """What the device draws, as last seen; None where nothing is being read."""
        for role in _FOR_THE_DEVICE:
            told = [
                reader.latest_mw(sensor.info.name)
                for reader in self._reading
                for sensor in reader.plan.sensors
                if sensor.info.role == role
            ]
            known = [each for each in told if each is not None]
            if known and len(known) == len(told):
                return (known[0] if role == "total" else sum(known)) / 1e3
        return None

    async def _collect(self, reader: SourceReader, seen: PowerSeen) -> None:
        if await asyncio.to_thread(reader.stop):
            seen.series |= {name: each for name, each in reader.series.items() if each.values}
            seen.failures |= reader.failures
            return
        self._hanging[reader.plan.source] = reader
        reason = f"it has not answered for {reader.silent_s:.1f} s"
        seen.failures |= dict.fromkeys(reader.series, reason)


def _wanted(sensor: Sensor) -> bool:
    info = sensor.info
    return info.unit in UNITS and not info.unavailable_reason and info.role != "other"


def _by_source(sensors: Sequence[Sensor]) -> list[tuple[str, tuple[Sensor, ...]]]:
    ordered = sorted(sensors, key=lambda each: each.source)
    return [(source, tuple(each)) for source, each in groupby(ordered, lambda each: each.source)]


def _not_faster(plan: SourcePlan, period_s: float) -> SourcePlan:
    return replace(plan, period_s=max(plan.period_s, period_s))


def _nothing_stands_for_it(sensors: Sequence[Sensor], found: Sequence[Sensor]) -> str:
    """With why the others of ``found`` cannot be used. Empty where there is no sensor of power at
    all: who looked for what says so itself."""
    if not sensors:
        return ""
    seen = ", ".join(f"{each.info.name} ({each.info.scope})" for each in sensors)
    unusable = "".join(
        f"; {each.info.name}: {each.info.unavailable_reason}"
        for each in found
        if each.info.unit in UNITS and each.info.unavailable_reason
    )
    return f"no sensor is known to stand for the whole device (found {seen}{unusable})"


def _planned(paces: Sequence[Pace], silent: Sequence[SensorInfo | None]) -> PowerPlan:
    """Long enough for the slowest of those that stand for the device."""
    infos = [_as_seen(sensor.info, pace) for pace in paces for sensor in pace.plan.sensors]
    periods_ns = [
        max(info.sample_period_ns, int(pace.plan.period_s * 1e9))
        for pace in paces
        for info in infos
        if info.role in _FOR_THE_DEVICE and info.name in _names(pace)
    ]
    wanted_ns = _UPDATES_WANTED * max(periods_ns, default=0)
    idle_ns = min(max(wanted_ns, _SHORTEST_IDLE_NS), _LONGEST_IDLE_NS) if periods_ns else 0
    unread = [each for each in silent if each is not None]
    return PowerPlan(tuple(paces), (*infos, *unread), idle_ns, wanted_ns)


def _names(pace: Pace) -> set[str]:
    return {sensor.info.name for sensor in pace.plan.sensors}


def _as_seen(info: SensorInfo, pace: Pace) -> SensorInfo:
    return replace(info, sample_period_ns=pace.update_ns.get(info.name, info.sample_period_ns))
