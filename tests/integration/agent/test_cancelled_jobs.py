"""A host that gives a job up on a real agent: what waits there for it, and what the log says."""

from __future__ import annotations

import asyncio
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from trimtab.fleet.client import AgentClient
from trimtab.fleet.dispatch import Workload, let_jobs_go, measure_on
from trimtab.fleet.inventory_device import InventoryDevice
from trimtab.fleet.jobs import ArmRequest
from trimtab.fleet.ledger import RunLedger
from trimtab.fleet.progress import Progress
from trimtab.fleet.status import device_status
from trimtab.records import Artifact, ArtifactFile, MeasurementSettings
from trimtab_protos.digest import digest_file
from trimtab_protos.v1 import benchmark_pb2


def arm(folder: Path, name: str, runtime: str) -> ArmRequest:
    path = folder / f"{name}.onnx"
    path.write_bytes(name.encode())
    artifact = Artifact("onnx", (ArtifactFile(path.name, path, digest_file(path)),), 1)
    settings = MeasurementSettings(runtime=runtime, repeats=1, min_duration_s=60, max_duration_s=60)
    return ArmRequest(name, artifact, settings)


async def give_up(folder: Path, address: str, ledger: RunLedger) -> None:
    """Once an arm has its outcome, while the other one is measured."""
    arms = [arm(folder, "broken", "onnxruntime"), arm(folder, "long", "null")]
    workload = Workload(lambda info: arms, None, "none", None, ledger)
    measuring = asyncio.Event()

    def hear(progress: Progress) -> None:
        if progress.text.startswith("long: repeat 1"):
            measuring.set()

    share = asyncio.create_task(
        measure_on(InventoryDevice("board", address), folder, workload, hear)
    )
    await asyncio.wait_for(measuring.wait(), timeout=60)
    share.cancel()
    await asyncio.gather(share, return_exceptions=True)
    assert share.cancelled()


async def test_a_deleted_run_leaves_nothing_on_its_devices_and_says_whom_it_did_not_reach(
    start_agent: Any, tmp_path: Path
) -> None:
    agent = start_agent()
    here = InventoryDevice("board", agent.address)
    gone = InventoryDevice("gone", f"unix:{tmp_path}/nobody.sock")
    with closing(RunLedger(tmp_path / "ledger")) as ledger:
        await give_up(tmp_path, agent.address, ledger)
        ledger.device("gone").note_asked("request", ("a",))
        ledger.device("gone").note_job("request", "000001-0")
        async with AgentClient("board", agent.address) as client:
            assert (await device_status(client)).results_waiting == 1
            untold = await let_jobs_go((here, gone), tmp_path, ledger)
            assert (await device_status(client)).results_waiting == 0
    assert list(untold) == ["gone"]


async def test_a_job_that_still_runs_is_ended_with_its_run(
    start_agent: Any, tmp_path: Path, connect: Any, make_spec: Any
) -> None:
    agent = start_agent()
    client = connect(agent.address)
    model = (client.upload(b"x"), "a.null")
    job_id = client.submit(make_spec({"a": model}, "null", repeats=50, min_duration_s=1))
    with closing(RunLedger(tmp_path / "ledger")) as ledger:
        ledger.device("board").note_asked("request", ("a",))
        ledger.device("board").note_job("request", job_id)
        device = InventoryDevice("board", agent.address)
        assert await let_jobs_go((device,), tmp_path, ledger) == {}
    job = client.job(job_id)
    assert job.state == benchmark_pb2.Job.STATE_CANCELLED
    assert job.acknowledged


@pytest.mark.parametrize("durable", [False, True])
async def test_results_wait_only_for_a_run_that_is_gone_on_with(
    start_agent: Any, tmp_path: Path, *, durable: bool
) -> None:
    agent = start_agent("--log-format", "json")
    with closing(RunLedger(tmp_path / "ledger", durable=durable)) as ledger:
        await give_up(tmp_path, agent.address, ledger)

    (submission,) = ledger.device("board").submissions.values()
    assert submission.is_open
    async with AgentClient("board", agent.address) as client:
        status = await device_status(client)
    assert status.jobs == ()
    assert status.results_waiting == (1 if durable else 0)
    lines = agent.log.read_text().splitlines()
    told = [json.loads(line) for line in lines if line.startswith("{")]
    ends = [each for each in told if each["message"].startswith("ended: ")]
    assert [each["message"] for each in ends] == ["ended: cancelled"]
    assert ends[0]["job_id"] == submission.job_id
    assert ends[0]["request_id"] == submission.request_id
