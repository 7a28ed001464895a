"""``trimtab check`` is a job like others: it waits its turn, and goes on where a line breaks."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from fault_proxy import FaultProxy
from known_devices import know_devices
from supervised_agents import SupervisedAgent, running_agents, wait_until
from trimtab_protos.v1 import device_pb2, device_pb2_grpc


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[SupervisedAgent]:
    with running_agents(tmp_path, 1) as (agent,):
        yield agent


@contextmanager
def checking(
    tmp_path: Path, environment: dict[str, str], *files: Path
) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "trimtab", "check", *map(str, files), "--device", "b1"]
    with subprocess.Popen(
        [*command, "--format", "json"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as host:
        yield host


def outcomes(host: subprocess.Popen[str]) -> tuple[list[str], str]:
    written, said = host.communicate(timeout=120)
    assert written, said
    return [each["outcome"] for each in json.loads(written)["answers"]], said


def devices(channel: grpc.Channel) -> Any:
    return device_pb2_grpc.DeviceServiceStub(channel)


def test_it_waits_for_who_holds_the_device_and_leaves_nothing_held(
    tmp_path: Path,
    environment: dict[str, str],
    shared_data: Path,
    agent: SupervisedAgent,
) -> None:
    know_devices(tmp_path / "home", {"b1": agent.address})
    with grpc.insecure_channel(agent.address) as channel:
        stub = devices(channel)
        asked = device_pb2.AcquireLeaseRequest(request_id=uuid.uuid4().hex, holder="ann@desk")
        asked.ttl.FromSeconds(60)
        lease = stub.AcquireLease(asked, timeout=20).lease
        with checking(tmp_path, environment, shared_data / "models" / "mnist.onnx") as host:
            wait_until(lambda: bool(agent.status().waiting_holders))
            time.sleep(1)
            assert agent.jobs() == []
            stub.ReleaseLease(device_pb2.ReleaseLeaseRequest(lease_id=lease.lease_id), timeout=20)
            found, said = outcomes(host)

    assert (host.returncode, found) == (0, ["supported"])
    assert "b1: waiting: held by ann@desk" in said
    assert not agent.status().HasField("lease")
    assert [job.acknowledged for job in agent.jobs()] == [True]


def test_a_line_that_is_cut_costs_nothing(
    tmp_path: Path,
    environment: dict[str, str],
    shared_data: Path,
    agent: SupervisedAgent,
) -> None:
    models = sorted((shared_data / "models").glob("*.tflite"))[:3]
    with FaultProxy(agent.address) as proxy:
        know_devices(tmp_path / "home", {"b1": proxy.address})
        with checking(tmp_path, environment, *models) as host:
            wait_until(lambda: bool(agent.jobs()))
            proxy.cut()  # three processes are to be started: it goes on for some seconds
            found, said = outcomes(host)

    assert "b1: trying again: no agent answers" in said
    assert len(found) == 3
    assert "failed" not in found
    assert len(agent.jobs()) == 1  # the same job, asked about again
    assert agent.jobs()[0].acknowledged
    assert not agent.status().HasField("lease")


def test_an_agent_that_is_killed_and_comes_back_is_asked_for_what_is_missing(
    tmp_path: Path,
    environment: dict[str, str],
    shared_data: Path,
    agent: SupervisedAgent,
) -> None:
    know_devices(tmp_path / "home", {"b1": agent.address})
    models = sorted((shared_data / "models").glob("*.tflite"))[:4]
    with checking(tmp_path, environment, *models) as host:
        wait_until(lambda: bool(agent.jobs()))
        agent.kill()
        agent.start()
        found, said = outcomes(host)

    assert len(found) == 4
    assert "failed" not in found, said
    first, second = agent.jobs()
    answered = {each.arm for each in first.result.arms}
    assert {each.name for each in second.spec.arms} == {
        each.name for each in first.spec.arms
    } - answered
