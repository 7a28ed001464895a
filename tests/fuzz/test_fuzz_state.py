"""An agent comes up whatever the disk did to its folder, keeps what is whole, says what is not."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import grpc
import pytest
from fuzz.samples import MODEL, digest_of, quick_spec
from fuzz.target import ANSWER_S, Target, chosen_seed
from supervised_agents import wait_until
from trimtab_protos.v1 import (
    artifact_pb2,
    artifact_pb2_grpc,
    benchmark_pb2,
    benchmark_pb2_grpc,
    device_pb2,
    device_pb2_grpc,
)

_SHORT, _LONG = 4, 60
_BLOBS = tuple(bytes([number]) * 1000 * number for number in (1, 2, 3))

_LOST = (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.OUT_OF_RANGE)

MakeTarget = Callable[..., Target]


@dataclass(frozen=True)
class Whole:
    """What an agent had: jobs and their events as bytes, by job id, and its files."""

    state: Path
    jobs: Mapping[str, bytes]
    events: Mapping[str, tuple[bytes, ...]]


class Reader:
    def __init__(self, target: Target) -> None:
        self.jobs: Any = benchmark_pb2_grpc.BenchmarkServiceStub(target.channel)
        self.artifacts: Any = artifact_pb2_grpc.ArtifactServiceStub(target.channel)
        self.device: Any = device_pb2_grpc.DeviceServiceStub(target.channel)

    def job(self, job_id: str) -> bytes:
        request = benchmark_pb2.GetJobRequest(job_id=job_id)
        return _bytes(self.jobs.GetJob(request, timeout=ANSWER_S).job)

    def events(self, job_id: str) -> tuple[bytes, ...]:
        request = benchmark_pb2.WatchJobRequest(job_id=job_id)
        answers = self.jobs.WatchJob(request, timeout=ANSWER_S)
        return tuple(_bytes(each.event) for each in answers)

    def upload(self, data: bytes, until: int | None = None) -> None:
        request = artifact_pb2.UploadArtifactRequest(
            digest=digest_of(data), data=data[:until], finish_write=until is None
        )
        self.artifacts.UploadArtifact(iter([request]), timeout=ANSWER_S)

    def download(self, data: bytes) -> bytes:
        request = artifact_pb2.DownloadArtifactRequest(digest=digest_of(data))
        answers = self.artifacts.DownloadArtifact(request, timeout=ANSWER_S)
        return b"".join(answer.data for answer in answers)

    def acquire(self) -> None:
        request = device_pb2.AcquireLeaseRequest(request_id="r", holder="the one before")
        request.ttl.FromSeconds(1)  # over, but in its file, when the next agent comes up
        self.device.AcquireLease(request, timeout=ANSWER_S)


@pytest.fixture
def whole(start_agent: Any, tmp_path: Path) -> Whole:
    """Three jobs, four files, half a file and a lease, of an agent that was killed."""
    agent = start_agent(state=tmp_path / "whole")
    target = Target(agent.address, agent.pid, agent.log)
    target.prepare()
    reader = Reader(target)
    for data in _BLOBS:
        wait_until(lambda data=data: _uploaded(reader, data), 20)
    reader.upload(b"half of it is here", until=9)
    ids = [target.submit(name, quick_spec(digest_of(_BLOBS[0]))) for name in ("a", "b", "c")]
    for job_id in ids:
        target.end_of(job_id)
    reader.acquire()
    found = Whole(
        tmp_path / "whole",
        {job_id: reader.job(job_id) for job_id in ids},
        {job_id: reader.events(job_id) for job_id in ids},
    )
    target.close()
    agent.process.kill()
    agent.process.wait()
    return found


def _uploaded(reader: Reader, data: bytes) -> bool:
    """Not while the device measures."""
    try:
        reader.upload(data)
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.UNAVAILABLE:
            raise
        return False
    return True


def _bytes(message: Any) -> bytes:
    """Maps in one order."""
    return bytes(message.SerializeToString(deterministic=True))


def damage(state: Path, random: Random) -> list[Path]:
    """One to three files, cut off or with bits turned; relative to the folder."""
    files = sorted(path for path in state.rglob("*") if path.is_file() and path.name != "lock")
    chosen = random.sample(files, random.randint(1, 3))
    for path in chosen:
        data = bytearray(path.read_bytes())
        if data and random.random() < 0.5:
            for _ in range(random.choice((1, 1, 8, 64))):
                data[random.randrange(len(data))] ^= 1 << random.randrange(8)
        else:
            del data[random.randrange(len(data) + 1) :]
        path.chmod(0o600)
        path.write_bytes(data)
    return [path.relative_to(state) for path in chosen]


def check(whole: Whole, target: Target, damaged: list[Path]) -> None:
    reader = Reader(target)
    target.check_alive()
    log = target.log_tail()
    for job_id, job in whole.jobs.items():
        if not any(job_id in path.parts for path in damaged):
            assert reader.job(job_id) == job
            assert reader.events(job_id) == whole.events[job_id]
        elif not _is_still(reader, whole, job_id):
            assert job_id in target.log_tail(), f"{job_id} was damaged, and nothing says so: {log}"
    for data in _BLOBS:
        name = digest_of(data).sha256
        if not any(name in path.name for path in damaged):
            assert reader.download(data) == data
    reader.upload(MODEL)
    assert target.run_job("after the damage") == benchmark_pb2.Job.STATE_SUCCEEDED
    target.check_log()


def _is_still(reader: Reader, whole: Whole, job_id: str) -> bool:
    """The damage changed nothing that counts. Raises what no answer of the catalogue is."""
    try:
        same_job = reader.job(job_id) == whole.jobs[job_id]
        return same_job and reader.events(job_id) == whole.events[job_id]
    except grpc.RpcError as error:
        if error.code() not in _LOST:
            raise
        return False


def restart_on_damaged(whole: Whole, make: MakeTarget, folder: Path, seed: int, count: int) -> None:
    for number in range(count):
        state = folder / f"state-{number}"
        shutil.copytree(whole.state, state)
        damaged = damage(state, Random(f"{seed}-{number}"))
        target = make(state=state)
        try:
            check(whole, target, damaged)
        except BaseException as error:
            error.add_note(f"TRIMTAB_FUZZ_SEED={seed}, number {number}: {damaged}")
            raise
        target.stop()


def test_an_agent_comes_up_on_a_damaged_folder(
    whole: Whole, make_target: MakeTarget, tmp_path: Path
) -> None:
    restart_on_damaged(whole, make_target, tmp_path, chosen_seed(default=3), _SHORT)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_sixty_damaged_folders(whole: Whole, make_target: MakeTarget, tmp_path: Path) -> None:
    restart_on_damaged(whole, make_target, tmp_path, chosen_seed(), _LONG)
