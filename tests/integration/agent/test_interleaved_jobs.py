"""Interleaved jobs through a real agent: two workers in turns, the other one stopped."""

import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest
from trimtab_protos.errors import status_to_failure
from trimtab_protos.v1 import benchmark_pb2

pytestmark = pytest.mark.alone

Job = benchmark_pb2.Job
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel")


@pytest.fixture
def resnet(shared_data: Path) -> bytes:
    return (shared_data / "models" / "resnet8_fp32.tflite").read_bytes()


@pytest.fixture
def make_interleaved(make_spec: Any) -> Callable[..., Any]:
    def make(models: dict[str, Any], repeats: int = 2, blocks: int = 4, block_ms: int = 10) -> Any:
        spec = make_spec(models)
        spec.interleaved.repeat_count = repeats
        spec.interleaved.blocks_per_repeat = blocks
        spec.interleaved.block_duration.FromMilliseconds(block_ms)
        spec.interleaved.discard_count = 2
        spec.policy.min_sample_count = 1
        return spec

    return make


def spans(events: list[Any]) -> dict[tuple[str, int], dict[int, tuple[int, int]]]:
    """(arm, repeat) -> block -> its first start and its last end, from the samples."""
    found: dict[tuple[str, int], dict[int, tuple[int, int]]] = defaultdict(dict)
    for event in events:
        if event.HasField("sample_batch"):
            batch = event.sample_batch
            first = batch.start_offset_ns[0]
            last = batch.start_offset_ns[-1] + batch.latency_ns[-1]
            blocks = found[event.arm, event.repeat_index]
            blocks[batch.block_index] = (blocks.get(batch.block_index, (first, 0))[0], last)
    return found


def workers_of(agent_pid: int, count: int) -> list[psutil.Process]:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        children = psutil.Process(agent_pid).children()
        found = [each for each in children if "trimtab_agent.worker" in each.cmdline()]
        if len(found) == count:
            return found
        time.sleep(0.01)
    raise AssertionError(f"not {count} workers")


def both_measuring(agent: Any, client: Any, job_id: str) -> list[psutil.Process]:
    ready = 0
    for event in client.watch(job_id):
        ready += event.phase == benchmark_pb2.PHASE_MEASURE and event.HasField("phase_started")
        if ready == 2:
            return workers_of(agent.pid, 2)
    raise AssertionError("the job ended before both were measuring")


def gone(processes: list[psutil.Process]) -> bool:
    return not psutil.wait_procs(processes, timeout=5)[1]


def test_blocks_of_two_arms_take_turns_and_never_overlap(
    client: Any, make_interleaved: Any, mnist: bytes
) -> None:
    digest = client.upload(mnist)
    spec = make_interleaved({"a": (digest, "a.onnx"), "b": (digest, "b.onnx")})
    events = list(client.watch(client.submit(spec)))
    job = events[-1].job_finished.job
    assert job.state == Job.STATE_SUCCEEDED
    assert [result.arm for result in job.result.arms] == ["a", "b"]
    assert all("comparison" in r.unavailable["memory_peak_mb"] for r in job.result.arms)

    blocks = spans(events)
    assert set(blocks) == {("a", 0), ("b", 0), ("a", 1), ("b", 1)}
    for repeat, turns in ((0, "abbaabba"), (1, "baabbaab")):
        in_time = sorted((*span, arm) for arm in "ab" for span in blocks[arm, repeat].values())
        assert "".join(arm for _, _, arm in in_time) == turns
        assert all(earlier[1] <= later[0] for earlier, later in pairwise(in_time))
    checks = {check.name: check.outcome for check in job.result.arms[0].checks}
    assert checks["NO_SAMPLE_LOST"] == benchmark_pb2.ValidityCheck.OUTCOME_PASSED
    assert checks["NO_SWAPPING"] == benchmark_pb2.ValidityCheck.OUTCOME_PASSED
    assert checks["OUTPUTS_FINITE"] == benchmark_pb2.ValidityCheck.OUTCOME_PASSED


def test_two_formats_in_two_runtimes_are_interleaved(
    client: Any, make_interleaved: Any, mnist: bytes, resnet: bytes
) -> None:
    spec = make_interleaved(
        {"m": (client.upload(mnist), "m.onnx"), "r": (client.upload(resnet), "r.tflite")}
    )
    spec.arms[1].runtime, spec.arms[1].format = "litert", "tflite"
    job = client.finished(client.submit(spec))
    assert job.state == Job.STATE_SUCCEEDED
    assert all(result.sample_count >= 8 for result in job.result.arms)


def test_an_arm_that_does_not_load_ends_the_comparison_and_both_say_why(
    client: Any, make_interleaved: Any, mnist: bytes
) -> None:
    spec = make_interleaved(
        {"good": (client.upload(mnist), "g.onnx"), "bad": (client.upload(b"no model"), "b.onnx")}
    )
    job = client.finished(client.submit(spec))
    assert job.state == Job.STATE_FAILED
    good, bad = (status_to_failure(result.error) for result in job.result.arms)
    assert bad.failure_class == good.failure_class == "model"
    assert good.message == f"not compared, because bad failed: {bad.message}"


@pytest.fixture
def endless(start_agent: Any, connect: Any, make_interleaved: Any, mnist: bytes) -> Any:
    """A running interleaved job: (agent, client, job id, its two workers, its specification)."""
    agent = start_agent()
    client = connect(agent.address)
    digest = client.upload(mnist)
    models = {"a": (digest, "a.onnx"), "b": (digest, "b.onnx")}
    spec = make_interleaved(models, repeats=1, blocks=5000, block_ms=200)
    job_id = client.submit(spec)
    return agent, client, job_id, both_measuring(agent, client, job_id), spec


@linux_only
def test_the_one_that_waits_is_stopped(endless: Any) -> None:
    _, client, job_id, workers, _ = endless
    seen: set[int] = set()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and len(seen) < 2:
        stopped = [each.pid for each in workers if each.status() == psutil.STATUS_STOPPED]
        if len(stopped) == 1:
            seen.add(stopped[0])
        time.sleep(0.01)
    assert len(seen) == 2
    client.cancel(job_id)
    client.finished(job_id)


def test_cancelling_ends_both_workers_also_the_stopped_one(endless: Any) -> None:
    _, client, job_id, workers, _ = endless
    client.cancel(job_id)
    assert client.finished(job_id).state == Job.STATE_CANCELLED
    assert gone(workers)


def test_a_killed_worker_fails_both_arms_and_the_next_job_is_fine(endless: Any) -> None:
    _, client, job_id, workers, spec = endless
    os.kill(workers[0].pid, signal.SIGKILL)
    job = client.finished(job_id)
    failures = [status_to_failure(result.error) for result in job.result.arms]
    assert [each.failure_class for each in failures] == ["device", "device"]
    assert sum("not compared, because" in each.message for each in failures) == 1
    assert gone(workers)
    spec.interleaved.blocks_per_repeat = 2
    assert client.finished(client.submit(spec)).state == Job.STATE_SUCCEEDED


@linux_only
def test_no_worker_outlives_an_agent_killed_with_9(endless: Any) -> None:
    agent, _, _, workers, _ = endless
    agent.stop(signal.SIGKILL)
    assert gone(workers)


def test_workers_over_their_time_are_killed_and_the_limit_named(
    client: Any, make_interleaved: Any, mnist: bytes
) -> None:
    digest = client.upload(mnist)
    spec = make_interleaved({"a": (digest, "a.onnx"), "b": (digest, "b.onnx")}, blocks=5000)
    spec.policy.process_timeout.FromSeconds(3)
    job = client.finished(client.submit(spec))
    assert job.state == Job.STATE_FAILED
    assert "limit of 3 s" in status_to_failure(job.error).message


def test_blocks_end_early_in_whole_pairs_where_the_longest_duration_is_over(
    client: Any, make_interleaved: Any, mnist: bytes
) -> None:
    digest = client.upload(mnist)
    spec = make_interleaved({"a": (digest, "a.onnx"), "b": (digest, "b.onnx")}, 1, 5000)
    spec.policy.min_duration.FromMilliseconds(10)
    spec.policy.max_duration.FromMilliseconds(100)
    events = list(client.watch(client.submit(spec)))
    blocks = spans(events)
    assert 1 < len(blocks["a", 0]) == len(blocks["b", 0]) < 100


def laid_out(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")


@pytest.fixture
def compared_on(
    start_agent: Any, connect: Any, make_interleaved: Any, tmp_path: Path
) -> Callable[..., Any]:
    """Compare a file with itself on a device whose kernel files the test lays out."""

    def run(files: dict[str, str], change: Callable[[Any], None] = lambda spec: None) -> Any:
        for name, text in files.items():
            laid_out(tmp_path, name, text)
        client = connect(start_agent("--root", str(tmp_path)).address)
        digest = client.upload(b"any")
        spec = make_interleaved({"a": (digest, "a.onnx"), "b": (digest, "b.onnx")}, repeats=2)
        for arm in spec.arms:
            arm.runtime = "null"
        change(spec)
        return list(client.watch(client.submit(spec)))

    return run


def checks_of(events: list[Any]) -> list[dict[str, Any]]:
    arms = events[-1].job_finished.job.result.arms
    return [{check.name: check for check in result.checks} for result in arms]


def test_both_arms_wait_until_the_device_is_cool_and_say_where_it_is_not(compared_on: Any) -> None:
    def ask_for_cool(spec: Any) -> None:
        spec.policy.max_start_temperature_celsius = 50
        spec.policy.cooldown_timeout.FromMilliseconds(300)

    events = compared_on({"sys/class/thermal/thermal_zone0/temp": "71250"}, ask_for_cool)
    waits = [event for event in events if event.state_changed.state == Job.STATE_COOLING]
    assert len(waits) == 1
    for checks in checks_of(events):
        assert checks["START_TEMPERATURE"].outcome == benchmark_pb2.ValidityCheck.OUTCOME_FAILED
        assert "still 71.2 °C" in checks["START_TEMPERATURE"].seen


def test_throttling_while_they_take_turns_is_seen_and_measured_again(compared_on: Any) -> None:
    flags = "sys/devices/platform/soc/soc:firmware/get_throttled"
    events = compared_on({flags: "4"}, lambda spec: setattr(spec.policy, "max_retries", 1))
    for result, checks in zip(
        events[-1].job_finished.job.result.arms, checks_of(events), strict=True
    ):
        assert checks["NOT_THROTTLED"].outcome == benchmark_pb2.ValidityCheck.OUTCOME_FAILED
        # On a busy machine the load is named instead: the repeat is spoiled twice over.
        assert result.conditions["retries"].startswith(("repeat 1: throttled", "repeat 1: foreign"))
    blocks = spans(events)
    assert {key: len(found) for key, found in blocks.items()} == {
        (arm, repeat): 4 for arm in "ab" for repeat in (0, 1)
    }


def test_they_warm_up_until_steady(compared_on: Any) -> None:
    def ask_for_steady(spec: Any) -> None:
        spec.policy.steady_tolerance = 0.99
        spec.policy.max_warmup_duration.FromSeconds(5)

    for checks in checks_of(compared_on({}, ask_for_steady)):
        assert checks["STEADY"].outcome == benchmark_pb2.ValidityCheck.OUTCOME_PASSED


def test_where_both_do_not_fit_in_memory_one_process_follows_the_other(compared_on: Any) -> None:
    events = compared_on({"proc/meminfo": "MemTotal: 500000 kB\nMemAvailable: 1000 kB"})
    blocks = spans(events)
    for repeat, turns in ((0, "aaaabbbb"), (1, "bbbbaaaa")):
        in_time = sorted((*span, arm) for arm in "ab" for span in blocks[arm, repeat].values())
        assert "".join(arm for _, _, arm in in_time) == turns
    (said,) = (event.log_line.text for event in events if "do not fit" in event.log_line.text)
    assert "1 MB are available: processes alternate" in said
    for result in events[-1].job_finished.job.result.arms:
        assert result.conditions["schedule"].startswith("one process after the other: both do not")
