"""The doctor over the wire: through a real agent, and never beside a job."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from trimtab_protos.errors import DeviceMeasuring, TrimtabError
from trimtab_protos.v1 import benchmark_pb2, doctor_pb2, doctor_pb2_grpc

_FINISHED = (benchmark_pb2.Job.STATE_SUCCEEDED, benchmark_pb2.Job.STATE_CANCELLED)


def examine(client: Any, timeout_s: float = 90.0) -> Any:
    stub: Any = doctor_pb2_grpc.DoctorServiceStub(client.channel)
    return stub.Examine(doctor_pb2.ExamineRequest(), timeout=timeout_s)


def doctors(agent_pid: int) -> list[psutil.Process]:
    found = []
    for child in psutil.Process(agent_pid).children(recursive=True):
        try:
            if "trimtab_agent.doctor" in child.cmdline():
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


@pytest.mark.slow
def test_the_doctor_says_over_the_wire_what_it_says_on_the_device(client: Any) -> None:
    answer = examine(client)

    sections = {finding.section for finding in answer.findings}
    assert sections == {"what this device can measure", "the harness", "what disturbs it now"}
    assert all(finding.outcome and finding.seen for finding in answer.findings)
    assert answer.voids_latency == any(each.voids_latency for each in answer.findings)
    assert answer.device_info.device_id == client.info().device_id
    names = {finding.name for finding in answer.findings}
    assert "other agents" in names or len(names) > 10


def test_a_running_job_is_not_examined_and_a_new_one_ends_an_examination(
    start_agent: Callable[..., Any],
    connect: Callable[[str], Any],
    make_spec: Callable[..., Any],
    error_of: Callable[[Callable[[], object]], TrimtabError],
) -> None:
    agent = start_agent()
    client = connect(agent.address)
    client.info()
    spec = make_spec(
        {"a": (client.upload(b"x"), "a.null")}, "null", "null", repeats=50, min_duration_s=1
    )
    stub: Any = doctor_pb2_grpc.DoctorServiceStub(client.channel)
    examining = stub.Examine.future(doctor_pb2.ExamineRequest(), timeout=90)
    deadline = time.monotonic() + 20
    while not doctors(agent.pid):
        assert time.monotonic() < deadline, "no examination began"
        time.sleep(0.02)

    job_id = client.submit(spec)
    ended = error_of(examining.result)
    refused = error_of(lambda: examine(client))

    assert isinstance(ended, DeviceMeasuring)
    assert isinstance(refused, DeviceMeasuring)
    assert not doctors(agent.pid)
    assert client.job(job_id).state not in _FINISHED
    client.cancel(job_id)


def test_who_hangs_up_ends_the_examination(
    start_agent: Callable[..., Any], connect: Callable[[str], Any]
) -> None:
    agent = start_agent()
    client = connect(agent.address)
    client.info()
    stub: Any = doctor_pb2_grpc.DoctorServiceStub(client.channel)
    examining = stub.Examine.future(doctor_pb2.ExamineRequest(), timeout=90)
    deadline = time.monotonic() + 20
    while not (running := doctors(agent.pid)):
        assert time.monotonic() < deadline, "no examination began"
        time.sleep(0.02)

    examining.cancel()

    _, alive = psutil.wait_procs(running, timeout=10)
    assert not alive
    assert agent.process.poll() is None


def test_an_agent_that_is_killed_takes_its_examination_along(
    start_agent: Callable[..., Any], connect: Callable[[str], Any]
) -> None:
    agent = start_agent()
    client = connect(agent.address)
    client.info()
    stub: Any = doctor_pb2_grpc.DoctorServiceStub(client.channel)
    examining = stub.Examine.future(doctor_pb2.ExamineRequest(), timeout=90)
    deadline = time.monotonic() + 20
    while not (running := doctors(agent.pid)):
        assert time.monotonic() < deadline, "no examination began"
        time.sleep(0.02)
    time.sleep(0.3)  # until it holds on to the agent

    agent.process.kill()
    agent.process.wait()

    _, alive = psutil.wait_procs(running, timeout=10)
    assert not alive
    assert examining.exception() is not None


@pytest.mark.parametrize("service", ["", "trimtab.v1.DeviceService", "trimtab.v1.DoctorService"])
def test_the_standard_health_client_is_answered(client: Any, service: str) -> None:
    stub: Any = health_pb2_grpc.HealthStub(client.channel)

    answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=20)

    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_the_log_in_json_names_the_job(
    start_agent: Callable[..., Any],
    connect: Callable[[str], Any],
    make_spec: Callable[..., Any],
) -> None:
    import json

    agent = start_agent("--log-format", "json")
    client = connect(agent.address)
    spec = make_spec({"a": (client.upload(b"x"), "a.null")}, "null", "null", repeats=1)
    job_id = client.submit(spec, "request-1")
    client.finished(job_id)

    ended = False
    deadline = time.monotonic() + 10
    while not ended and time.monotonic() < deadline:
        text = agent.log.read_text().splitlines()
        told = [json.loads(line) for line in text if line.startswith("{")]
        mine = [each for each in told if each.get("job_id") == job_id]
        ended = any(each["message"] == "ended: succeeded" for each in mine)
        time.sleep(0.05)

    assert ended
    assert {each["request_id"] for each in mine} == {"request-1"}
