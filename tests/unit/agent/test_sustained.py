"""Sustained load on the device: the loop with its room, what is checked, what sensors tell."""

from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from trimtab_agent.arm_conditions import measuring_conditions
from trimtab_agent.arm_progress import ArmProgress, RepeatProgress
from trimtab_agent.disturbance import Reading
from trimtab_agent.records import Arm, JobSpec, Policy, SensorBatch
from trimtab_agent.scenario import policy_to_check, scenario_conditions
from trimtab_agent.sensor_batches import READINGS_PER_BATCH, sensor_batches
from trimtab_agent.sustained import ROOM, take_sustained
from trimtab_agent.watch import PERIOD_S, reading_period_s
from trimtab_agent.worker.messages import WorkerTask

SETTLING = 3
SECOND = 10**9


class Machine:
    """A clock that only runs move; ``duration`` tells what the n-th of them lasts."""

    def __init__(self, duration: Callable[[int], int]) -> None:
        self.now = 0
        self.count = 0
        self._duration = duration

    def run(self) -> None:
        self.now += self._duration(self.count)
        self.count += 1

    def clock(self) -> int:
        return self.now


def test_every_inference_is_timed_while_there_is_room() -> None:
    machine = Machine(lambda index: 10)
    taken = take_sustained(machine.run, machine.clock, duration_ns=95, room=16)
    assert taken.samples.latency_ns.tolist() == [10] * 10
    assert taken.samples.duration_ns == 100
    assert (taken.timed_every, taken.inference_count) == (1, 10)


@pytest.mark.parametrize("inferences", [17, 64, 1000, 4097])
def test_a_full_room_keeps_evenly_spaced_samples_of_the_whole_time(inferences: int) -> None:
    machine = Machine(lambda index: 10)
    taken = take_sustained(machine.run, machine.clock, 10 * inferences, room=16)
    starts = taken.samples.start_ns.tolist()
    assert 8 <= len(starts) <= 16
    spacing = {after - before for before, after in pairwise(starts)}
    assert spacing == {10 * taken.timed_every}
    assert taken.samples.duration_ns >= 10 * inferences
    assert taken.inference_count == machine.count - SETTLING


def test_each_kept_latency_is_the_one_that_began_at_its_start() -> None:
    machine = Machine(lambda index: 100 + index % 7)
    taken = take_sustained(machine.run, machine.clock, 100_000, room=32)
    begins, now = {}, 0
    for index in range(machine.count):
        begins[now] = 100 + index % 7
        now += 100 + index % 7
    assert taken.timed_every > 1
    for start, latency in zip(taken.samples.start_ns, taken.samples.latency_ns, strict=True):
        assert begins[start] == latency


def test_a_model_slower_than_the_whole_duration_is_run_once() -> None:
    machine = Machine(lambda index: 500)
    taken = take_sustained(machine.run, machine.clock, 100)
    assert (len(taken.samples), taken.inference_count) == (1, 1)


def test_the_room_is_even_and_small_beside_a_model() -> None:
    assert ROOM % 2 == 0
    assert 16 * ROOM <= 4 << 20


def test_the_readings_of_a_day_are_as_bounded_as_the_samples() -> None:
    assert reading_period_s(None) == reading_period_s(600 * SECOND) == PERIOD_S
    assert 86_400 / reading_period_s(86_400 * SECOND) <= 4096


def test_the_duration_asked_for_is_the_minimum_that_is_checked() -> None:
    policy = Policy(5 * SECOND, 9 * SECOND, 1, 1, 1, 1)
    sustained = JobSpec((), 1, policy, None, 0, None, sustain_ns=2 * SECOND)
    checked = policy_to_check(sustained)
    assert (checked.min_duration_ns, checked.max_duration_ns) == (2 * SECOND, 2 * SECOND)
    assert policy_to_check(JobSpec((), 1, policy, None, 0, None)) is policy
    assert scenario_conditions(sustained) == {"scenario": "sustained", "sustain_s": "2"}


def test_the_conditions_say_how_many_inferences_were_timed() -> None:
    repeat = RepeatProgress(0, timed_every=4, inference_count=13)
    repeat.latency_ns.extend([1, 2, 3, 4])
    arm = ArmProgress(Arm("a", (), "null", "cpu", 1, "onnx"), 0, "m", repeats=[repeat])
    assert measuring_conditions(arm)["timed_inferences"] == "4 of 13 (1 in 4)"


def by_sensor(*readings: Reading) -> dict[str, SensorBatch]:
    return {batch.sensor: batch for batch in sensor_batches(readings)}


def test_each_sensor_has_its_readings_and_what_tells_nothing_is_absent() -> None:
    found = by_sensor(
        Reading(10, temperature_c=50.0, runnable=2), Reading(20, runnable=3), Reading(30)
    )
    assert found == {
        "temperature_c": SensorBatch("temperature_c", (10,), (50.0,)),
        "runnable_threads": SensorBatch("runnable_threads", (10, 20), (2.0, 3.0)),
    }
    assert by_sensor() == {}


def test_flags_are_sensors_of_their_own_where_there_are_flags() -> None:
    flagged = by_sensor(Reading(1, flags=()), Reading(2, flags=("under-voltage", "throttled")))
    assert flagged["throttled"].values == flagged["under_voltage"].values == (0.0, 1.0)
    assert flagged["frequency_capped"].values == (0.0, 0.0)
    assert set(by_sensor(Reading(1, flags=(), throttle_count=5))) == {"throttle_count"}


def test_more_readings_than_a_message_holds_are_several_batches() -> None:
    readings = [Reading(index, frequency_mhz=1500.0) for index in range(READINGS_PER_BATCH + 1)]
    first, second = sensor_batches(readings)
    assert (len(first.values), second.offset_ns) == (READINGS_PER_BATCH, (READINGS_PER_BATCH,))


async def test_a_worker_keeps_on_for_the_whole_duration(
    shared_data: Path, run_task: Callable[[WorkerTask], Awaitable[Any]]
) -> None:
    model = shared_data / "models" / "mnist.onnx"
    task = WorkerTask("repeat", "onnxruntime", str(model), min_warmup_count=2, sustain_ns=SECOND)
    heard = await run_task(task)
    assert heard.failure is None
    measured = heard.only("measured")
    assert measured["duration_ns"] >= SECOND
    latencies = sum(len(each["latency_ns"]) for each in heard.of("samples"))
    assert latencies == measured["sample_count"]
    assert measured["inference_count"] == (latencies - 1) * measured["timed_every"] + 1
