"""The curve of a sustained load and its figures, from samples and readings that are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from trimtab.decide.choose import decide
from trimtab.measure.summarize import build_result
from trimtab.measure.sustained import NOT_ASKED, Curve, Interval, NoCurve, curve, sentence
from trimtab.records import (
    Artifact,
    Check,
    DeviceRef,
    MeasurementSettings,
    Objective,
    RawArm,
    RawRepeat,
    Requirement,
    Result,
    SensorSeries,
)

SECOND = 10**9
ORIGIN_NS = 7 * SECOND  # the repeat begins somewhere in its job
UNKNOWN = {"temperature_c": "unknown: no thermal zone", "frequency_mhz": "unknown: no cpufreq"}
MakeRaw = Callable[..., RawArm]


def series(times_s: Any, values: Any) -> SensorSeries:
    offsets = ORIGIN_NS + np.asarray(times_s, dtype=np.float64) * SECOND
    return SensorSeries(offsets.astype(np.int64), np.asarray(values, dtype=np.float64))


def a_repeat(
    latency_ms_at: Callable[[float], float],
    duration_s: float = 600.0,
    sensors: Mapping[str, SensorSeries] | None = None,
    period_s: float = 0.05,
) -> RawRepeat:
    """One timed inference a period."""
    starts = np.arange(0.0, duration_s, period_s)
    latency = np.array([round(latency_ms_at(at) * 1e6) for at in starts], dtype=np.int64)
    offsets = ORIGIN_NS + (starts * SECOND).astype(np.int64)
    return RawRepeat(0, offsets, latency, 5, 5, None, sensors=sensors or {})


def throttling_repeat() -> RawRepeat:
    """1.08 ms at 1800 MHz, from 250 s on 1.42 ms at 1400 MHz; 50 °C to 80 °C."""
    times = np.arange(-1.0, 600.0, 0.25)
    sensors = {
        "temperature_c": series(times, np.minimum(50 + times / 8, 80)),
        "frequency_mhz": series(times, np.where(times < 250, 1800.0, 1400.0)),
    }
    return a_repeat(lambda at: 1.08 if at < 250 else 1.42, sensors=sensors)


def drawn(repeat: RawRepeat, conditions: Mapping[str, str] | None = None) -> Curve:
    found = curve(repeat, conditions or {})
    assert isinstance(found, Curve)
    return found


def test_the_curve_shows_the_step_and_says_when_throttling_set_in() -> None:
    found = drawn(throttling_repeat())
    assert len(found.intervals) == 60
    assert found.interval_s == pytest.approx(10.0, abs=0.01)
    assert [each.p50_ms for each in found.intervals[:25]] == [1.08] * 25
    assert [each.p50_ms for each in found.intervals[26:]] == [1.42] * 34
    assert {each.p90_ms for each in found.intervals} == {1.08, 1.42}
    assert found.intervals[0].temperature_c == pytest.approx(50.6, abs=0.1)
    assert found.intervals[-1].temperature_c == 80.0
    assert (found.intervals[0].frequency_mhz, found.intervals[-1].frequency_mhz) == (1800, 1400)
    assert found.slowdown == pytest.approx(1.42 / 1.08)
    assert not found.throttled_late
    assert found.throttling is not None
    assert found.throttling.from_s == pytest.approx(250.0)
    assert found.unavailable == {}
    assert sentence(found) == (
        "sustained p50 1.42 ms, 1.31 x the first 10 s (1.08 ms); throttling from 4 min 10 s on: "
        "frequency down from 1800 to 1400 MHz, at 80.0 °C"
    )


def test_every_sample_is_in_exactly_one_interval() -> None:
    repeat = throttling_repeat()
    found = drawn(repeat)
    assert sum(each.sample_count for each in found.intervals) == len(repeat.latency_ns)
    for before, after in zip(found.intervals, found.intervals[1:], strict=False):
        assert before.end_s == after.start_s


def test_what_was_not_told_is_absent_with_its_reason() -> None:
    found = drawn(a_repeat(lambda at: 1.0, 60.0), UNKNOWN)
    assert found.throttling is None
    assert {(each.temperature_c, each.frequency_mhz) for each in found.intervals} == {(None, None)}
    assert found.unavailable["temperature_c"] == "no thermal zone"
    assert found.unavailable["frequency_mhz"] == "no cpufreq"
    assert sentence(found).endswith(
        "is unknown: no throttle flags and no frequencies are told here"
    )
    silent = drawn(a_repeat(lambda at: 1.0, 60.0), {"temperature_c": "50.0 (cpu)"})
    assert silent.unavailable["temperature_c"] == "not told while measuring"


def test_a_device_that_can_tell_and_did_not_throttle_says_so() -> None:
    steady = {"frequency_mhz": series(range(60), [1800.0] * 60)}
    assert sentence(drawn(a_repeat(lambda at: 1.0, 60.0, steady))).endswith("no throttling seen")


def test_throttled_from_the_beginning_is_said_to_be() -> None:
    flagged = {"throttled": series(range(-1, 60), [1.0] * 61)}
    found = drawn(a_repeat(lambda at: 1.0, 60.0, flagged))
    assert sentence(found) == "sustained p50 1.00 ms; throttling from the first 1 s on: throttled"
    assert found.slowdown is None


def test_intervals_are_fewer_where_a_load_is_short_or_a_model_slow() -> None:
    assert len(drawn(a_repeat(lambda at: 1.0, 3.01, period_s=0.001)).intervals) == 6
    assert len(drawn(a_repeat(lambda at: 400.0, 60.0, period_s=0.5)).intervals) == 12
    few = drawn(a_repeat(lambda at: 400.0, 60.0, period_s=0.5)).intervals
    assert {each.p90_ms for each in few} == {None}


@pytest.mark.parametrize(
    ("duration_s", "period_s", "reason"),
    [
        (1.2, 0.001, "needs 30 timed inferences in 1.5 s, had 1200 in 1.20 s"),
        (29.0, 1.0, "needs 30 timed inferences in 1.5 s, had 29 in 28.00 s"),
        (0.0, 1.0, "had 0 in 0.00 s"),
    ],
)
def test_too_little_for_a_curve_is_said(duration_s: float, period_s: float, reason: str) -> None:
    found = curve(a_repeat(lambda at: 1.0, duration_s, period_s=period_s), {})
    assert isinstance(found, NoCurve)
    assert reason in found.reason


def test_a_gap_without_inferences_has_no_median_and_no_zero() -> None:
    repeat = a_repeat(lambda at: 1.0, 60.0)
    away = (repeat.start_offset_ns < ORIGIN_NS + 20 * SECOND) | (
        repeat.start_offset_ns > ORIGIN_NS + 30 * SECOND
    )
    kept = {name: getattr(repeat, name)[away] for name in ("start_offset_ns", "latency_ns")}
    found = drawn(replace(repeat, **kept))
    empty = [each for each in found.intervals if each.sample_count == 0]
    assert len(empty) in (9, 10)
    assert {(each.p50_ms, each.p90_ms) for each in empty} == {(None, None)}


@pytest.fixture
def sustained(
    make_raw_arm: MakeRaw, make_artifact: Callable[..., Artifact]
) -> Callable[..., Result]:
    def make(*repeats: RawRepeat, checks: tuple[Check, ...] = (), **settings: Any) -> Result:
        raw = replace(make_raw_arm(checks=checks), repeats=repeats)
        asked: dict[str, Any] = {"sustain_s": 600.0, "repeats": len(repeats), **settings}
        measure = MeasurementSettings("onnxruntime", **asked)
        return build_result(raw, make_artifact(), measure, DeviceRef("pi", "id"), variant="float")

    return make


MakeSustained = Callable[..., Result]
THROTTLED = Check("NOT_THROTTLED", "failed", True, ("latency",), "from 250 s into measuring on")


def test_throttling_voids_the_mixed_latencies_and_not_the_sustained_figure(
    sustained: MakeSustained,
) -> None:
    result = sustained(throttling_repeat(), checks=(THROTTLED,))
    for name in ("latency_p50_ms", "latency_p90_ms", "latency_mean_ms", "throughput_per_s"):
        assert not result.metrics[name].valid
        assert "250 s into measuring" in str(result.metrics[name].reason)
    latency, slowdown = (
        result.metrics[name] for name in ("latency_sustained_ms", "sustained_slowdown")
    )
    assert (latency.value, latency.valid, latency.provenance) == (1.42, True, "measured")
    assert slowdown.value == pytest.approx(1.42 / 1.08)
    assert (slowdown.valid, slowdown.provenance) == (True, "derived")


@pytest.mark.parametrize("name", ["FOREIGN_LOAD", "MIN_DURATION", "CLOCK_MONOTONIC"])
def test_what_else_spoils_latencies_spoils_the_sustained_one_too(
    sustained: MakeSustained, name: str
) -> None:
    failed = replace(THROTTLED, name=name)
    metrics = sustained(throttling_repeat(), checks=(failed,)).metrics
    assert not metrics["latency_sustained_ms"].valid
    assert not metrics["sustained_slowdown"].valid


def test_a_throttled_device_can_still_be_decided_by_its_sustained_figure(
    sustained: MakeSustained,
) -> None:
    result = sustained(throttling_repeat(), checks=(THROTTLED,))
    within = Requirement("latency_sustained_ms", "<=", 1.5)
    (device,) = decide([result], [within], Objective("latency_sustained_ms")).devices
    assert device.chosen is result
    (device,) = decide([result], [], Objective("latency_p50_ms")).devices
    assert device.chosen is None


def test_one_process_gives_no_interval_and_says_so(sustained: MakeSustained) -> None:
    alone = sustained(throttling_repeat())
    assert alone.metrics["latency_sustained_ms"].ci95 is None
    assert alone.metrics["sustained_slowdown"].ci95 is None
    assert {check.name: check.outcome for check in alone.checks}["INTERVAL_KNOWN"] == "unknown"
    slower = replace(throttling_repeat(), latency_ns=throttling_repeat().latency_ns + 10_000)
    several = sustained(throttling_repeat(), slower)
    interval = several.metrics["latency_sustained_ms"].ci95
    assert interval is not None
    assert interval[0] < 1.42 < 1.43 < interval[1]


@pytest.mark.parametrize(
    ("latency_ms_at", "outcome"),
    [(lambda at: 1.0 + 0.001 * (at > 30), "passed"), (lambda at: 1.0 + at / 60, "failed")],
)
def test_a_load_that_has_not_settled_warns_and_voids_nothing(
    sustained: MakeSustained, latency_ms_at: Callable[[float], float], outcome: str
) -> None:
    result = sustained(a_repeat(latency_ms_at, 60.0))
    (check,) = [each for each in result.checks if each.name == "SUSTAINED_SETTLED"]
    assert (check.outcome, check.invalidates) == (outcome, False)
    assert result.metrics["latency_sustained_ms"].valid


def test_throttling_that_sets_in_within_the_last_third_voids_the_sustained_figure(
    sustained: MakeSustained,
) -> None:
    times = np.arange(0, 60, 0.25)
    frequency = {"frequency_mhz": series(times, np.where(times < 58, 1800.0, 900.0))}
    repeat = a_repeat(lambda at: 1.0 if at < 58 else 2.0, 60.0, frequency)
    result = sustained(repeat, checks=(THROTTLED,))
    for name in ("latency_sustained_ms", "sustained_slowdown"):
        assert not result.metrics[name].valid
        assert "throttling set in after 58 s, within the last third" in str(
            result.metrics[name].reason
        )


def test_a_slowdown_needs_a_beginning_that_was_not_throttled(sustained: MakeSustained) -> None:
    flagged = {"throttled": series(range(60), [1.0] * 60)}
    result = sustained(a_repeat(lambda at: 1.0, 60.0, flagged))
    assert result.metrics["latency_sustained_ms"].value == 1.0
    assert "throttled in the first interval" in str(result.metrics["sustained_slowdown"].reason)


def test_without_a_sustained_load_there_is_no_such_figure(sustained: MakeSustained) -> None:
    result = sustained(throttling_repeat(), sustain_s=None)
    assert result.metrics["latency_sustained_ms"].value is None
    assert result.metrics["sustained_slowdown"].reason == NOT_ASKED
    assert "SUSTAINED_SETTLED" not in {check.name for check in result.checks}
    short = sustained(a_repeat(lambda at: 1.0, 1.0))
    assert "had 20 in" in str(short.metrics["latency_sustained_ms"].reason)


def test_an_interval_is_plain_data() -> None:
    first = drawn(throttling_repeat()).intervals[0]
    assert isinstance(first, Interval)
    assert (first.start_s, first.sample_count) == (0.0, 200)
