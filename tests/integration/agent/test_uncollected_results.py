"""Real agents with little room for results: nobody's are lost, and who is refused learns why."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from trimtab.fleet.client import AgentClient
from trimtab.fleet.dispatch import Measured, Rules, Workload, measure_on
from trimtab.fleet.inventory_device import InventoryDevice
from trimtab.fleet.jobs import ArmRequest
from trimtab.fleet.ledger import RunLedger
from trimtab.records import Artifact, ArtifactFile, MeasurementSettings
from trimtab_protos.digest import digest_file
from trimtab_protos.errors import JobUnknown, status_to_failure
from trimtab_protos.v1 import benchmark_pb2

Job = benchmark_pb2.Job
_MAX_JOBS = 3
_AGENT = f"""#!{sys.executable}
import functools, sys
import trimtab_agent.cli as cli, trimtab_agent.cli_serve as cli_serve
cli_serve.Settings = functools.partial(cli_serve.Settings, {{limits}})
sys.argv = ["trimtab-agent", *sys.argv[3:]]  # without -m trimtab_agent
cli.main()
"""
_SETTINGS = MeasurementSettings(
    runtime="null", repeats=1, min_duration_s=0.05, warmup_s=0.0, min_samples=5
)


@pytest.fixture
def start_small(start_agent: Any, tmp_path: Path) -> Callable[..., Any]:
    """``start_small(limits, *serve_options, ...)``: limits that no option sets."""

    def start(limits: str, *options: str, **where: Any) -> Any:
        program = tmp_path / "agent"
        program.write_text(_AGENT.format(limits=limits))
        program.chmod(0o700)
        return start_agent(*options, python=program, **where)

    return start


class Host:
    """One that measures an arm on the device in a run of its own."""

    def __init__(self, folder: Path, address: str, name: str) -> None:
        self._folder, self._name = folder / name, name
        self._folder.mkdir()
        self._device = InventoryDevice("board", address)
        model = self._folder / "m.onnx"
        model.write_bytes(b"any")
        file = ArtifactFile(model.name, model, digest_file(model))
        self._arms = [ArmRequest("a", Artifact("onnx", (file,), 3), _SETTINGS)]
        self.said: list[str] = []

    async def measure(self) -> Measured:
        rules = Rules(holder=self._name)
        ledger = RunLedger(self._folder / "ledger", durable=False)
        arms = self._arms
        workload = Workload(lambda info: arms, None, "none", None, ledger, rules=rules)
        try:
            (measured,) = await measure_on(
                self._device,
                self._folder,
                workload,
                lambda progress: self.said.append(progress.text),
            )
            self.set_aside = ledger.device("board").set_aside
        finally:
            ledger.close()
        return measured


def quick(client: Any, make_spec: Any, **settings: Any) -> Any:
    return make_spec({"a": (client.upload(b"any"), "any.onnx")}, "null", repeats=1, **settings)


async def test_results_survive_newer_jobs_then_hosts_are_told_and_fetching_makes_room(
    start_small: Any, connect: Any, make_spec: Any, tmp_path: Path
) -> None:
    agent = start_small(f"max_kept_jobs={_MAX_JOBS}")
    client = connect(agent.address)

    def submit(holder: str) -> str:
        request = benchmark_pb2.SubmitJobRequest(
            request_id=f"{holder} {len(list((agent.state / 'jobs').iterdir()))}",
            spec=quick(client, make_spec),
            holder=holder,
        )
        job_id: str = client.benchmark.SubmitJob(request).job.job_id
        *_, last = client.watch(job_id)
        assert last.WhichOneof("kind") == "job_finished"
        return job_id

    kept = [await asyncio.to_thread(submit, "ann@laptop") for _ in range(2)]
    events = {job_id: list(client.watch(job_id)) for job_id in kept}
    for run in range(_MAX_JOBS):  # ben fetches what is his, in three runs
        measured = await Host(tmp_path, agent.address, f"ben-{run}").measure()
        assert measured.raw.failure is None
    assert {job_id: list(client.watch(job_id)) for job_id in kept} == events

    await asyncio.to_thread(submit, "cleo@tower")
    ben = Host(tmp_path, agent.address, "ben")
    refused = await ben.measure()
    assert refused.raw.failure is not None
    assert refused.raw.failure.failure_class == "resources"
    text = refused.raw.failure.message
    assert "nobody has fetched the results of 3 jobs" in text
    assert "2 of ann@laptop, 1 of cleo@tower; do `trimtab run --resume` on that host" in text
    assert f"remove {agent.state / 'jobs'}" in text
    assert text in ben.said[-1]
    assert "nobody has fetched" in ben.set_aside  # it stays open: --resume asks again

    async with AgentClient("board", agent.address) as host:
        await host.acknowledge(kept[0])
    resumed = await ben.measure()
    assert resumed.raw.failure is None
    assert list(client.watch(kept[1])) == events[kept[1]]


def test_jobs_that_their_hosts_cancelled_or_that_only_checked_keep_nobody_out(
    start_small: Any, connect: Any, make_spec: Any
) -> None:
    agent = start_small("max_kept_jobs=1")
    client = connect(agent.address)
    for _ in range(3):
        job_id = client.submit(quick(client, make_spec, min_duration_s=60))
        events = client.watch(job_id)
        while next(events).WhichOneof("kind") != "phase_started":
            pass
        client.cancel(job_id)
        *_, last = events  # its host, that interrupted it, hears of its end
        assert last.WhichOneof("kind") == "job_finished"
        assert client.job(job_id).state == Job.STATE_CANCELLED
    check = quick(client, make_spec)
    check.support_check.SetInParent()
    for _ in range(2):
        assert client.finished(client.submit(check)).state == Job.STATE_SUCCEEDED
    assert client.finished(client.submit(quick(client, make_spec))).state == Job.STATE_SUCCEEDED


def test_the_next_agent_lets_go_what_waited_too_long_and_says_so(
    start_small: Any, connect: Any, make_spec: Any, error_of: Any
) -> None:
    limits, brief = "max_kept_jobs=1", "0.00001"  # 0.9 s
    agent = start_small(limits)
    client = connect(agent.address)
    first = client.submit(quick(client, make_spec))
    client.finished(first)
    agent.stop()
    agent = start_small(limits, "--keep-uncollected-days", brief, state=agent.state)
    client = connect(agent.address)
    assert client.job(first).state == Job.STATE_SUCCEEDED
    time.sleep(1)
    second = client.submit(quick(client, make_spec))
    client.finished(second)
    assert isinstance(error_of(lambda: client.job(first)), JobUnknown)
    assert f"job {first} of nobody named is dropped for newer ones" in agent.log.read_text()


def test_a_job_that_writes_too_much_fails_with_class_resources_and_what_it_wrote_stays(
    start_small: Any, connect: Any, make_spec: Any
) -> None:
    agent = start_small("max_kept_bytes=300_000")
    client = connect(agent.address)
    file = (client.upload(b"any"), "any.onnx")
    spec = make_spec(
        {"a": file, "b": file}, "null", repeats=5, min_duration_s=0.001, min_samples=8000
    )
    job_id = client.submit(spec)
    job = client.finished(job_id)
    failures = [status_to_failure(arm.error) for arm in job.result.arms]
    assert [failure.failure_class for failure in failures] == ["resources", "resources"]
    for failure in failures:
        assert "has written 0.3 MB of samples and readings, the most that" in failure.message
    assert job.state == Job.STATE_FAILED
    assert all(arm.sample_count >= 8000 for arm in job.result.arms)
    samples = sum(len(event.sample_batch.latency_ns) for event in client.watch(job_id))
    assert samples >= 16_000
    agent.stop()
    client = connect(start_small("max_kept_bytes=300_000", state=agent.state).address)
    assert client.job(job_id).result == job.result


def test_an_interleaved_job_that_writes_too_much_ends_so_too(
    start_small: Any, connect: Any, make_spec: Any
) -> None:
    client = connect(start_small("max_kept_bytes=10_000").address)
    file = (client.upload(b"any"), "any.onnx")
    spec = make_spec({"a": file, "b": file}, "null")
    spec.interleaved.repeat_count = 3
    spec.interleaved.blocks_per_repeat = 4
    spec.interleaved.block_duration.FromMilliseconds(10)
    spec.interleaved.discard_count = 2
    spec.policy.min_sample_count = 1
    job = client.finished(client.submit(spec))
    failures = [status_to_failure(arm.error) for arm in job.result.arms]
    assert [failure.failure_class for failure in failures] == ["resources", "resources"]
    assert any("the most that one job may" in failure.message for failure in failures)
