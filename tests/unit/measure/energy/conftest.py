"""Arms with power sensors, whose true power is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from trimtab.records import RawArm, RawRepeat, SensorInfo, SensorSeries, Window

SECOND = 10**9
_BOUNDS = (0.0, 2.0, 3.0, 13.0, 15.0)  # idle, warm-up, measure, idle

MakeRepeat = Callable[..., RawRepeat]
MakeArm = Callable[..., RawArm]


def sensor(name: str = "vdd_in", **changes: object) -> SensorInfo:
    info = SensorInfo(name, "mW", "all", "", "instantaneous", "total", 10_000_000)
    return replace(info, **changes)  # type: ignore[arg-type]


def power_series(idle_mw: float, busy_mw: float, after_mw: float, seed: int) -> SensorSeries:
    """Read every 10 ms or so, with a noise of 5 mW."""
    generator = np.random.default_rng(seed)
    times = (np.arange(1500) + generator.random(1500)) * 0.010
    levels = np.where(times < 2.0, idle_mw, np.where(times < 13.0, busy_mw, after_mw))
    values = np.rint(levels + 5.0 * generator.standard_normal(1500))
    return SensorSeries((times * SECOND).astype(np.int64), values)


@pytest.fixture
def make_repeat() -> MakeRepeat:
    """10 s with ``count`` inferences at ``busy_mw``, 2 s of idle before and after."""

    def make(
        index: int = 0,
        *,
        busy_mw: float = 5000.0,
        idle_mw: float = 2000.0,
        after_mw: float | None = None,
        count: int = 1000,
        phases: Sequence[str] = ("before", "measure", "after"),
        sensors: Mapping[str, SensorSeries] | None = None,
    ) -> RawRepeat:
        after = idle_mw if after_mw is None else after_mw
        told = {"vdd_in": power_series(idle_mw, busy_mw, after, 7 * index + 1)}
        marks = [round(each * SECOND) for each in _BOUNDS]
        windows = {
            "before": Window("idle", marks[0], marks[1]),
            "measure": Window("measure", marks[2], marks[3], count),
            "after": Window("idle", marks[3], marks[4]),
        }
        starts = marks[2] + np.arange(count, dtype=np.int64) * (10 * SECOND // max(count, 1))
        return RawRepeat(
            index=index,
            start_offset_ns=starts,
            latency_ns=np.full(count, 9_000_000, dtype=np.int64),
            load_ns=1,
            first_inference_ns=1,
            io_ns=None,
            sensors=told if sensors is None else sensors,
            windows=tuple(windows[each] for each in phases),
        )

    return make


@pytest.fixture
def make_arm(make_raw_arm: MakeArm, make_repeat: MakeRepeat) -> MakeArm:
    """Three repeats where none are given."""

    def make(
        *repeats: RawRepeat,
        sensors: Sequence[SensorInfo] | None = None,
        conditions: Mapping[str, str] | None = None,
        unavailable: Mapping[str, str] | None = None,
    ) -> RawArm:
        measured = repeats or tuple(make_repeat(index) for index in range(3))
        return replace(
            make_raw_arm(unavailable=unavailable),
            repeats=measured,
            sensors=tuple([sensor()] if sensors is None else sensors),
            conditions=dict(conditions or {}),
        )

    return make
