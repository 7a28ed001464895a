"""Batches and rates: the loop, the shapes, the checks, and both in real workers."""

from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trimtab_agent.measure import Limits
from trimtab_agent.phases import WarmUpLimits
from trimtab_agent.records import JobSpec, Policy, TensorInfo
from trimtab_agent.runtimes.base import ModelRefused, TensorSpec
from trimtab_agent.scenario import Periods, rate_checks, scenario_conditions
from trimtab_agent.worker.batch import shapes_for_batch
from trimtab_agent.worker.inputs import first_batch, random_inputs
from trimtab_agent.worker.messages import WorkerTask
from trimtab_agent.worker.periodic import take_periodic, warm_up_at_pace

RunTask = Callable[[WorkerTask], Awaitable[Any]]
POLICY = Policy(1, 1, 1, 1, 1, 1)


class Machine:
    """A clock that moves only while somebody sleeps or runs; ``durations`` of the runs in turn."""

    def __init__(self, durations: list[int], oversleep: int = 0) -> None:
        self.now = 0
        self.starts: list[int] = []
        self._durations = durations
        self._oversleep = oversleep

    def clock(self) -> int:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += round(seconds * 1e9) + self._oversleep

    def run(self) -> None:
        self.starts.append(self.now)
        self.now += self._durations[min(len(self.starts), len(self._durations)) - 1]


def test_an_inference_starts_with_each_period() -> None:
    machine = Machine([30])
    taken = take_periodic(machine.run, machine.clock, machine.sleep, 100, Limits(4, 0, 10_000))
    assert machine.starts == [0, 100, 200, 300]
    assert taken.samples.latency_ns.tolist() == [30, 30, 30, 30]
    assert (taken.missed, taken.latest_start_ns) == (0, 0)


def test_periods_that_pass_while_one_runs_are_missed_and_not_caught_up() -> None:
    machine = Machine([30, 250, 30])
    taken = take_periodic(machine.run, machine.clock, machine.sleep, 100, Limits(3, 0, 10_000))
    assert machine.starts == [0, 100, 400]
    assert taken.missed == 2


def test_the_warm_up_keeps_the_pace_until_its_windows_agree() -> None:
    ms = 1_000_000
    machine = Machine([9 * ms] * 6 + [3 * ms])  # two windows of three before it is warm
    limits = WarmUpLimits(2, 0, 10_000 * ms, tolerance=0.05)
    warm = warm_up_at_pace(machine.run, machine.clock, machine.sleep, 50 * ms, limits)
    assert (warm.count, warm.settled, warm.spread) == (15, True, 0.0)
    gaps = {later - earlier for earlier, later in pairwise(machine.starts)}
    assert gaps == {50 * ms, 53 * ms, 59 * ms}


def test_a_warm_up_at_a_pace_that_never_settles_ends_at_its_maximum() -> None:
    ms = 1_000_000
    machine = Machine([ms * 2 ** (number // 3) for number in range(60)])
    limits = WarmUpLimits(2, 0, 1_000 * ms, tolerance=0.05)
    warm = warm_up_at_pace(machine.run, machine.clock, machine.sleep, 50 * ms, limits)
    assert warm.settled is False
    assert warm.duration_ns >= 1_000 * ms


def test_a_late_waking_is_seen_and_no_part_of_the_latency() -> None:
    machine = Machine([30], oversleep=7)
    taken = take_periodic(machine.run, machine.clock, machine.sleep, 100, Limits(3, 0, 10_000))
    assert machine.starts == [0, 107, 207]
    assert set(taken.samples.latency_ns) == {30}
    assert taken.latest_start_ns == 7


def test_an_odd_rate_does_not_drift() -> None:
    machine = Machine([1])
    take_periodic(machine.run, machine.clock, machine.sleep, 100 / 3, Limits(301, 0, 10**6))
    assert machine.starts[300] == 10_000


def test_both_minimums_and_the_maximum_hold() -> None:
    machine = Machine([30])
    taken = take_periodic(machine.run, machine.clock, machine.sleep, 100, Limits(1, 450, 10_000))
    assert len(taken.samples) == 6
    machine = Machine([30])
    taken = take_periodic(machine.run, machine.clock, machine.sleep, 100, Limits(99, 0, 300))
    assert len(taken.samples) == 4


def outcome_of(*periods: Periods) -> tuple[str, str]:
    (check,) = rate_checks(periods)
    assert check.name == "RATE_KEPT"
    return check.outcome, check.seen


def test_one_missed_period_in_a_hundred_is_the_limit() -> None:
    kept = outcome_of(Periods(30.0, 99, 1, 80_000), Periods(30.0, 100, 0, 120_000))
    assert kept[0] == "passed"
    assert "1 of 200 periods at 30 Hz missed" in kept[1]
    assert "latest start 0.12 ms" in kept[1]
    assert outcome_of(Periods(30.0, 97, 3, 0))[0] == "failed"
    assert rate_checks([]) == ()


def test_the_conditions_name_the_scenario() -> None:
    def conditions(**scenario: Any) -> dict[str, str]:
        return scenario_conditions(JobSpec((), 1, POLICY, None, 0, None, **scenario))

    assert conditions(batch_size=8)["batch_size"] == "8"
    assert conditions(rate_hz=29.97)["rate_hz"] == "29.97"
    assert conditions() == {"scenario": "back to back"}


def spec(name: str, *dimensions: int) -> TensorSpec:
    return TensorSpec(TensorInfo(name, "float32", dimensions))


def test_a_batch_size_goes_to_the_first_dimension_of_every_input() -> None:
    inputs = [spec("image", -1, 3, 8, 8), spec("mask", -1, 4), spec("threshold")]
    assert shapes_for_batch(inputs, {}, 5) == {"image": (5, 3, 8, 8), "mask": (5, 4)}
    assert shapes_for_batch(inputs, {"mask": (2, 4)}, None) == {"mask": (2, 4)}


def test_a_batch_leaves_other_dimensions_open_for_inputs_to_fill() -> None:
    shapes = shapes_for_batch([spec("x", -1, 2, -1)], {}, 4)
    samples = np.zeros((10, 2, 7), np.float32)
    assert first_batch({"x": samples}, [spec("x", -1, 2, -1)], shapes)["x"].shape == (4, 2, 7)
    with pytest.raises(ModelRefused, match=r"x 4x2x\?: give --shape x=4x2xN, a number for each N"):
        random_inputs([spec("x", -1, 2, -1)], shapes, 0)


@pytest.mark.parametrize(
    ("dimensions", "given", "message"),
    [
        ((1, 2), {}, "its batch fixed at 1: for a batch of 4 export the model"),
        ((-1, 2), {"x": (3, 2)}, "is a batch of 3, the batch size asked for is 4"),
    ],
)
def test_a_batch_that_the_model_does_not_take_is_refused(
    dimensions: tuple[int, ...], given: dict[str, tuple[int, ...]], message: str
) -> None:
    with pytest.raises(ModelRefused, match=message):
        shapes_for_batch([spec("x", *dimensions)], given, 4)


def repeat(runtime: str, model: Path, **settings: Any) -> WorkerTask:
    return WorkerTask(
        mode="repeat",
        runtime=runtime,
        model_path=str(model),
        max_duration_ns=2_000_000_000,
        min_warmup_count=2,
        **settings,
    )


async def test_a_worker_keeps_the_pace(shared_data: Path, run_task: RunTask) -> None:
    model = shared_data / "models" / "mnist.onnx"
    heard = await run_task(
        repeat("onnxruntime", model, rate_hz=50.0, min_sample_count=10, min_duration_ns=1)
    )
    assert heard.failure is None
    periods = heard.only("periods")
    assert periods["rate_hz"] == 50.0
    starts = heard.only("samples")["start_offset_ns"]
    assert len(starts) == heard.only("measured")["sample_count"] == periods["taken"] == 10
    slots = 9 + periods["missed"]
    assert starts[-1] - starts[0] >= slots * 20_000_000 - periods["latest_start_ns"]


@pytest.mark.parametrize("runtime", ["onnxruntime", "litert"])
async def test_a_worker_binds_the_batch(
    runtime: str,
    shared_data: Path,
    save_linear: Callable[[int | str], Path],
    run_task: RunTask,
    tmp_path: Path,
) -> None:
    tflite = shared_data / "models" / "resnet8_int8.tflite"
    model = save_linear("n") if runtime == "onnxruntime" else tflite
    shape = (2,) if runtime == "onnxruntime" else (32, 32, 3)
    # Fewer samples than the batch: only a run that really binds the batch can miss them.
    np.savez(tmp_path / "inputs.npz", x=np.ones((7, *shape), dtype=np.float32))
    task = repeat(runtime, model, batch_size=8, inputs_path=str(tmp_path / "inputs.npz"))
    failure = (await run_task(task)).failure
    assert failure is not None
    assert "has 7 samples, a batch of the model is 8" in failure.message
    heard = await run_task(repeat(runtime, model, batch_size=8, min_sample_count=3))
    assert heard.failure is None
