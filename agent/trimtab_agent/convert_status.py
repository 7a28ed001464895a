"""Leases and the device's status to protobuf, and what a host asks of leases."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration
from trimtab_protos.errors import SpecInvalid
from trimtab_protos.v1 import device_pb2

from trimtab_agent.convert_policy import duration_message
from trimtab_agent.status import DeviceStatus, JobSummary

MAX_HOLDER_LENGTH = 200


def check_holder(text: str) -> str:
    """May be empty. Raises SpecInvalid where it is too long, or would garble a terminal."""
    if len(text) > MAX_HOLDER_LENGTH or (text and not text.isprintable()):
        what = f"must be at most {MAX_HOLDER_LENGTH} printable characters"
        raise SpecInvalid(f"holder: {what}", field="holder")
    return text


def check_ttl(message: device_pb2.AcquireLeaseRequest | device_pb2.RenewLeaseRequest) -> int:
    """Nanoseconds. Raises SpecInvalid where it is missing: nothing is filled in."""
    nanoseconds = message.ttl.seconds * 10**9 + message.ttl.nanos
    if nanoseconds <= 0:
        raise SpecInvalid(f"ttl: must be more than 0, was {nanoseconds / 1e9:g} s", field="ttl")
    return nanoseconds


def lease_message(holder: str, remaining_ns: int, lease_id: str = "") -> device_pb2.Lease:
    return device_pb2.Lease(
        lease_id=lease_id, holder=holder, remaining=duration_message(remaining_ns)
    )


def status_message(status: DeviceStatus) -> device_pb2.DeviceStatus:
    message = device_pb2.DeviceStatus(
        waiting_holders=status.waiting_holders,
        jobs=[_summary_message(job) for job in status.jobs],
        agent_uptime=duration_message(status.agent_uptime_ns),
        artifact_bytes=status.artifact_bytes,
        disk_free_bytes=status.disk_free_bytes,
        unacknowledged_job_count=status.unacknowledged_job_count,
        agent_memory_bytes=status.agent_memory_bytes,
        agent_open_files=status.agent_open_files,
    )
    if status.lease_holder is not None:
        lease = lease_message(status.lease_holder, status.lease_remaining_ns)
        message.lease.CopyFrom(lease)
    return message


def _summary_message(job: JobSummary) -> device_pb2.JobSummary:
    running: Duration = duration_message(job.running_ns)
    return device_pb2.JobSummary(
        job_id=job.job_id,
        holder=job.holder,
        state=job.state,
        arm=job.arm,
        repeat_index=job.repeat_index,
        running=running,
    )
