"""What is planned for the sensors of a device, and what is read around a repeat."""

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from trimtab_agent.foreign import ForeignLoad
from trimtab_agent.power import meter as meter_module
from trimtab_agent.power.meter import PowerMeter, PowerPlan
from trimtab_agent.power.outcome import energy_unavailable, foreign_power_check, sensors_seen
from trimtab_agent.probes.base import Sensor
from trimtab_agent.records import SensorInfo, SensorRole

ROOT = Path("/nowhere")


class Played(Sensor):
    def __init__(
        self, name: str, read: Callable[[], float], role: SensorRole | None = "total"
    ) -> None:
        self.info = SensorInfo(name, "mW", "board input", "instantaneous", 0, role=role)
        self._read = read

    def read(self) -> float:
        return self._read()


@pytest.fixture
def present(monkeypatch: pytest.MonkeyPatch) -> list[Sensor]:
    sensors: list[Sensor] = []
    monkeypatch.setattr(meter_module, "discover", lambda root: list(sensors))
    monkeypatch.setattr(meter_module, "_ANSWER_S", 0.3)
    monkeypatch.setattr(meter_module, "LOOK_S", 0.4)
    return sensors


def steps_of(period_s: float) -> Callable[[], float]:
    """A sensor that has something new once a period."""
    return lambda: float(int(time.perf_counter() / period_s))


def test_a_slow_sensor_is_seen_to_be_slow_and_gets_the_time_it_needs(
    present: list[Sensor],
) -> None:
    present.append(Played("chip/slow", steps_of(0.05)))
    plan = asyncio.run(PowerMeter(ROOT).plan())
    (info,) = plan.sensors
    assert info.sample_period_ns == pytest.approx(50e6, rel=0.2)
    assert plan.min_duration_ns == pytest.approx(1e9, rel=0.2)
    assert plan.idle_ns == plan.min_duration_ns


def test_a_constant_one_tells_no_period_of_its_own(present: list[Sensor]) -> None:
    present.append(Played("chip/a", lambda: 1500.0))
    plan = asyncio.run(PowerMeter(ROOT).plan())
    assert plan.sensors[0].sample_period_ns == 0
    assert plan.paces[0].plan.period_s == pytest.approx(0.020, rel=0.5)
    assert 500_000_000 <= plan.idle_ns < 750_000_000  # longer where a read is dear


def test_what_is_dear_to_read_is_read_seldom(present: list[Sensor]) -> None:
    def spin() -> float:
        end = time.thread_time() + 0.001
        while time.thread_time() < end:
            pass
        return 1.0

    present.append(Played("chip/dear", spin))
    plan = asyncio.run(PowerMeter(ROOT).plan())
    assert plan.paces[0].plan.period_s == pytest.approx(0.33, rel=0.3)


def test_parts_alone_do_not_stand_for_the_device(present: list[Sensor]) -> None:
    present.append(Played("chip/gpu", lambda: 1.0, role="part"))
    plan = asyncio.run(PowerMeter(ROOT).plan())
    assert plan.idle_ns == 0
    reason = energy_unavailable(plan)["energy_mj"]
    assert reason == (
        "no sensor is known to stand for the whole device (found chip/gpu (board input))"
    )


def test_one_that_hangs_when_it_is_looked_at_holds_nothing_up(present: list[Sensor]) -> None:
    released = threading.Event()
    present.append(Played("stuck/a", lambda: float(released.wait(10))))
    started = time.monotonic()
    plan = asyncio.run(PowerMeter(ROOT).plan())
    released.set()
    assert time.monotonic() - started < 3
    assert plan.idle_ns == 0
    assert energy_unavailable(plan)["energy_mj"] == ("stuck/a: it did not answer within 0.3 s")


def test_one_that_hangs_in_a_repeat_is_left_alone_until_it_returns(present: list[Sensor]) -> None:
    released, hanging = threading.Event(), threading.Event()

    def read() -> float:
        if hanging.is_set():
            released.wait(10)
        return 1.0

    present.extend([Played("stuck/a", read), Played("chip/b", steps_of(0.02))])
    meter = PowerMeter(ROOT)

    async def repeat() -> tuple[PowerPlan, PowerPlan, PowerPlan]:
        plan = await meter.plan()
        async with meter.reading(plan, time.perf_counter_ns()) as seen:
            hanging.set()
            await asyncio.sleep(0.3)
        assert len(seen.series["chip/b"].values) > 10
        assert "stuck/a" not in seen.series
        told = {each.name: each.unavailable_reason for each in sensors_seen(plan, [seen])}
        assert told["stuck/a"].startswith("repeat 1: it has not answered for ")
        assert told["chip/b"] == ""
        while_hanging = await meter.plan()
        released.set()
        await asyncio.sleep(0.1)
        return plan, while_hanging, await meter.plan()

    before, meanwhile, after = asyncio.run(repeat())
    assert [len(each.paces) for each in (before, meanwhile, after)] == [2, 1, 2]
    stuck = next(each for each in meanwhile.sensors if each.name == "stuck/a")
    assert "has not returned" in stuck.unavailable_reason


def test_a_sustained_load_is_read_less_often(present: list[Sensor]) -> None:
    present.append(Played("chip/a", lambda: 1.0))
    meter = PowerMeter(ROOT)

    async def read() -> int:
        plan = await meter.plan()
        day_ns = 24 * 3600 * 10**9
        async with meter.reading(plan, time.perf_counter_ns(), day_ns) as seen:
            await asyncio.sleep(0.2)
        return sum(len(each.values) for each in seen.series.values())

    assert asyncio.run(read()) <= 1


def test_what_others_draw_voids_the_energy_even_where_the_latency_stands(
    present: list[Sensor],
) -> None:
    present.append(Played("chip/a", lambda: 1.0))
    plan = asyncio.run(PowerMeter(ROOT).plan())
    quiet, busy = ForeignLoad(0.05, 4), ForeignLoad(0.25, 4)
    (passed,) = foreign_power_check(plan, [quiet, quiet])
    (failed,) = foreign_power_check(plan, [quiet, busy])
    (unknown,) = foreign_power_check(plan, [None])
    assert [each.outcome for each in (passed, failed, unknown)] == ["passed", "failed", "unknown"]
    assert failed.invalidates
    assert "latency" not in failed.metrics
    assert foreign_power_check(PowerPlan(), [busy]) == (), "no power was read"
