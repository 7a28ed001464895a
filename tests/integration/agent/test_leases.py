"""Who may use the device, through a real agent: one holder, its queue, its restarts."""

from __future__ import annotations

import signal
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from trimtab_protos.errors import LeaseExpired, LeaseHeld, SpecInvalid, TrimtabError
from trimtab_protos.v1 import artifact_pb2, benchmark_pb2, device_pb2

Job = benchmark_pb2.Job
ErrorOf = Callable[[Callable[[], object]], TrimtabError]


class Host:
    """One of several that share a device, by one client."""

    def __init__(self, client: Any, name: str) -> None:
        self.client = client
        self.name = name
        self.request_id = uuid.uuid4().hex

    def acquire(self, ttl_s: float = 30.0) -> Any:
        request = device_pb2.AcquireLeaseRequest(request_id=self.request_id, holder=self.name)
        request.ttl.FromMilliseconds(round(ttl_s * 1000))
        return self.client.device.AcquireLease(request, timeout=20).lease

    def renew(self, lease_id: str, ttl_s: float = 30.0) -> Any:
        request = device_pb2.RenewLeaseRequest(lease_id=lease_id)
        request.ttl.FromMilliseconds(round(ttl_s * 1000))
        return self.client.device.RenewLease(request, timeout=20).lease

    def release(self, lease_id: str) -> None:
        request = device_pb2.ReleaseLeaseRequest(lease_id=lease_id)
        self.client.device.ReleaseLease(request, timeout=20)
        self.request_id = uuid.uuid4().hex

    def submit(self, spec: Any, lease_id: str = "") -> Any:
        request = benchmark_pb2.SubmitJobRequest(
            request_id=uuid.uuid4().hex, spec=spec, lease_id=lease_id, holder=self.name
        )
        return self.client.benchmark.SubmitJob(request, timeout=20).job


def status(client: Any) -> Any:
    request = device_pb2.GetDeviceStatusRequest()
    return client.device.GetDeviceStatus(request, timeout=20).status


def until(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.05)


@pytest.fixture
def ann(client: Any) -> Host:
    return Host(client, "ann@desk, run 1")


@pytest.fixture
def ben(client: Any) -> Host:
    return Host(client, "ben@laptop")


@pytest.fixture
def spec_for(make_spec: Any) -> Callable[..., Any]:
    def make(client: Any, min_duration_s: float = 0.05) -> Any:
        models = {"arm": (client.upload(b"any"), "any.onnx")}
        return make_spec(models, "null", repeats=1, min_duration_s=min_duration_s)

    return make


def test_a_lease_names_its_holder_to_the_others(ann: Host, ben: Host, error_of: ErrorOf) -> None:
    assert {"leases", "status", "job_limits"} <= set(ann.client.info().features)
    lease = ann.acquire()
    assert lease.holder == "ann@desk, run 1"
    assert 25 < lease.remaining.seconds + 1 <= 31
    assert ann.acquire().lease_id == lease.lease_id

    error = error_of(ben.acquire)
    assert isinstance(error, LeaseHeld)
    assert error.metadata["holder"] == "ann@desk, run 1"
    assert 0 < float(error.metadata["remaining_s"]) <= 30
    assert error.metadata["position"] == "1"
    assert error_of(Host(ann.client, "cid").acquire).metadata["position"] == "2"

    seen = status(ann.client)
    assert (seen.lease.holder, seen.lease.lease_id) == ("ann@desk, run 1", "")
    assert list(seen.waiting_holders) == ["ben@laptop", "cid"]

    ann.release(lease.lease_id)
    ann.release(lease.lease_id)
    assert isinstance(error_of(lambda: ann.renew(lease.lease_id)), LeaseExpired)
    assert ben.acquire().holder == "ben@laptop"


def test_a_lease_that_nobody_renews_expires(ann: Host, ben: Host, error_of: ErrorOf) -> None:
    lease = ann.acquire(ttl_s=1)
    error_of(ben.acquire)
    assert ann.renew(lease.lease_id, ttl_s=1.5).lease_id == lease.lease_id
    until(lambda: not status(ann.client).HasField("lease"), 10)
    assert isinstance(error_of(lambda: ann.renew(lease.lease_id)), LeaseExpired)
    assert isinstance(error_of(ann.acquire), LeaseHeld)  # ben asked first
    assert ben.acquire()


def test_what_is_asked_wrongly_is_refused_by_its_field(ann: Host, error_of: ErrorOf) -> None:
    def acquire(**wrong: Any) -> TrimtabError:
        fields: dict[str, Any] = {"request_id": "r", "holder": "h", "ttl": {"seconds": 30}}
        request = device_pb2.AcquireLeaseRequest(**{**fields, **wrong})
        return error_of(lambda: ann.client.device.AcquireLease(request, timeout=20))

    for wrong in (
        {"request_id": ""},
        {"holder": ""},
        {"holder": "x" * 201},
        {"holder": "a\nb"},
        {"ttl": None},
        {"ttl": {"seconds": -5}},
    ):
        error = acquire(**wrong)
        assert isinstance(error, SpecInvalid), wrong
        assert error.metadata["field"] == next(iter(wrong))


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_keeps_lease_and_line(
    start_agent: Any, connect: Any, error_of: ErrorOf, end: signal.Signals
) -> None:
    agent = start_agent()
    client = connect(agent.address)
    ann, ben, cid = (Host(client, name) for name in ("ann", "ben", "cid"))
    lease = ann.acquire(ttl_s=120)
    error_of(ben.acquire)
    error_of(cid.acquire)
    agent.process.send_signal(end)
    agent.process.wait(20)

    again = connect(start_agent(state=agent.state).address)
    for host in (ann, ben, cid):
        host.client = again
    assert error_of(cid.acquire).metadata["position"] == "2"
    assert ann.renew(lease.lease_id).holder == "ann"
    ann.release(lease.lease_id)
    assert isinstance(error_of(cid.acquire), LeaseHeld)
    assert ben.acquire().holder == "ben"


def test_a_reboot_frees_the_device(start_agent: Any, connect: Any, tmp_path: Path) -> None:
    boot_id = tmp_path / "proc/sys/kernel/random/boot_id"
    boot_id.parent.mkdir(parents=True)
    boot_id.write_text("the first boot\n")
    agent = start_agent("--root", str(tmp_path))
    lease = Host(connect(agent.address), "ann").acquire()
    agent.process.kill()
    agent.process.wait(20)
    boot_id.write_text("the second boot\n")
    client = connect(start_agent("--root", str(tmp_path), state=agent.state).address)
    assert not status(client).HasField("lease")
    assert Host(client, "ben").acquire().lease_id != lease.lease_id
    assert lease.lease_id not in agent.log.read_text()


def test_an_expired_or_unknown_lease_submits_and_sends_nothing(
    ann: Host, spec_for: Any, error_of: ErrorOf
) -> None:
    spec = spec_for(ann.client)
    assert isinstance(error_of(lambda: ann.submit(spec, "no such lease")), LeaseExpired)
    message = artifact_pb2.UploadArtifactRequest(lease_id="no such lease", finish_write=True)
    message.digest.sha256 = "0" * 64
    upload = ann.client.artifacts.UploadArtifact
    assert isinstance(error_of(lambda: upload(iter([message]), timeout=20)), LeaseExpired)


def test_the_lease_goes_first_and_what_has_none_waits(ann: Host, ben: Host, spec_for: Any) -> None:
    spec = spec_for(ann.client)
    lease = ann.acquire(ttl_s=120)
    without = ben.submit(spec)
    assert (without.state, without.queue_position) == (Job.STATE_PENDING, 1)
    assert without.holder == "ben@laptop"
    leased = ann.submit(spec, lease.lease_id)
    assert leased.holder == "ann@desk, run 1"
    assert ann.client.finished(leased.job_id).state == Job.STATE_SUCCEEDED
    assert ann.client.job(without.job_id).state == Job.STATE_PENDING
    assert [job.job_id for job in status(ann.client).jobs] == [without.job_id]
    ann.release(lease.lease_id)
    assert ben.client.finished(without.job_id).state == Job.STATE_SUCCEEDED
    assert ann.client.job(without.job_id).queue_position == 0


def test_a_running_job_holds_the_device_whatever_becomes_of_its_lease(
    ann: Host, ben: Host, spec_for: Any, error_of: ErrorOf
) -> None:
    lease = ann.acquire(ttl_s=1)
    job = ann.submit(spec_for(ann.client, min_duration_s=4), lease.lease_id)
    until(lambda: not status(ann.client).HasField("lease"))
    (running,) = status(ann.client).jobs
    assert (running.job_id, running.holder) == (job.job_id, "ann@desk, run 1")
    assert running.running.ToNanoseconds() > 0
    error = error_of(ben.acquire)
    assert isinstance(error, LeaseHeld)
    assert error.metadata["holder"] == "ann@desk, run 1"
    assert "remaining_s" not in error.metadata
    assert "until it ends" in error.message
    until(lambda: status(ann.client).jobs[0].state == "measuring")
    assert status(ann.client).jobs[0].arm == "arm"
    assert ann.client.finished(job.job_id).state == Job.STATE_SUCCEEDED
    seen = status(ann.client)
    assert seen.unacknowledged_job_count == 1
    assert ben.acquire()


def test_two_hosts_with_several_jobs_each_alternate(ann: Host, ben: Host, spec_for: Any) -> None:
    """Each takes the lease anew for every job, as a host's run does; ben comes a moment later."""
    spec = spec_for(ann.client)
    courses = [course(host, spec, 3) for host in (ann, ben)]
    order: list[str] = []
    while courses:
        for each in list(courses):
            try:
                order += next(each)
            except StopIteration:
                courses.remove(each)
        time.sleep(0.02)
    assert order == [ann.name, ben.name] * 3


def course(host: Host, spec: Any, jobs: int) -> Iterator[list[str]]:
    """One step at a time: asking, running, collecting; yields its name when it has its turn."""
    for _ in range(jobs):
        lease = None
        while lease is None:
            try:
                lease = host.acquire()
            except grpc.RpcError:
                yield []
        job = host.submit(spec, lease.lease_id)
        yield [host.name]
        while host.client.job(job.job_id).state < Job.STATE_SUCCEEDED:
            yield []
        host.release(lease.lease_id)


def test_the_status_tells_what_the_agent_takes(ann: Host) -> None:
    ann.client.upload(b"four")
    seen = status(ann.client)
    assert seen.artifact_bytes == 4
    assert seen.disk_free_bytes > 0
    assert 10e6 < seen.agent_memory_bytes < 200e6
    assert 3 < seen.agent_open_files < 200
    before = seen.agent_uptime.ToNanoseconds()
    assert status(ann.client).agent_uptime.ToNanoseconds() > before > 0
