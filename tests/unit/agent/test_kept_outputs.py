"""What a worker left is taken where it is a file, fits, and nobody else loses it."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from trimtab_agent.artifacts import ArtifactStore
from trimtab_agent.collection import GRACE_S, Collector
from trimtab_agent.config import Settings, parse_listen
from trimtab_agent.job_log import JobLog
from trimtab_agent.job_store import JobStore
from trimtab_agent.kept_outputs import KeptOutputs, forget
from trimtab_agent.records import (
    Arm,
    ArmFinished,
    ArmResult,
    FileRef,
    JobFinished,
    JobSpec,
    Policy,
)
from trimtab_agent.server import build_parts
from trimtab_protos.digest import Digest, digest_bytes
from trimtab_protos.errors import StoreFull

POLICY = Policy(1, 1, 1, 1, 1, 1)
SPEC = JobSpec((), 1, POLICY, None, 0, None)


@pytest.fixture
def artifacts(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "a")


@pytest.fixture
def store(tmp_path: Path, artifacts: ArtifactStore) -> JobStore:
    return JobStore(tmp_path / "jobs", artifacts, 1, 10**6)


@pytest.fixture
def log(store: JobStore) -> JobLog:
    return store.create("running", SPEC)


def kept_outputs(log: JobLog, artifacts: ArtifactStore, most: int = 10_000) -> KeptOutputs:
    return KeptOutputs(log, artifacts, most)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def _second_name(path: Path) -> None:
    (path.parent / "secret").write_text("the agent's own")
    path.hardlink_to(path.parent / "secret")


LEFT: dict[str, Callable[[Path], None]] = {
    "a FIFO": os.mkfifo,
    "a link": lambda path: path.symlink_to("/etc/passwd"),
    "a second name": _second_name,
    "a folder": Path.mkdir,
    "a socket": _socket,
    "a device": lambda path: path.symlink_to("/dev/zero"),
}


@pytest.mark.parametrize("make", LEFT.values(), ids=LEFT)
async def test_what_is_no_file_is_refused_at_once(
    log: JobLog, artifacts: ArtifactStore, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    left = tmp_path / "outputs.npz"
    make(left)
    keeping = kept_outputs(log, artifacts).keep(left, "outputs")
    digest, failure = await asyncio.wait_for(keeping, timeout=10)
    assert digest is None
    assert failure is not None
    assert failure.failure_class == "model"
    assert failure.message == ("the outputs could not be kept: it is no regular file with one name")
    assert list(artifacts.kept()) == []
    forget(left)


async def test_what_is_larger_than_the_agent_takes_is_refused_and_drives_nothing_out(
    log: JobLog, artifacts: ArtifactStore, tmp_path: Path
) -> None:
    old = _stored(artifacts, tmp_path / "old", b"o" * 1000)
    artifacts.make_room = Collector(artifacts, 1500, 0, set).make_room_for_output
    left = tmp_path / "profile.json"
    left.write_bytes(b"x" * 1001)
    _, failure = await kept_outputs(log, artifacts, 1000).keep(left, "profile")
    assert failure is not None
    assert failure.failure_class == "resources"
    assert "1001 bytes are more than the agent takes in one artifact (1000)" in failure.message
    assert artifacts.has(old)


async def test_outputs_keep_to_the_quota(
    log: JobLog, artifacts: ArtifactStore, tmp_path: Path
) -> None:
    old = _stored(artifacts, tmp_path / "old", b"o" * 1000)
    artifacts.make_room = Collector(artifacts, 1500, 0, set).make_room_for_output
    left = tmp_path / "outputs.npz"
    left.write_bytes(b"x" * 1000)
    digest, failure = await kept_outputs(log, artifacts).keep(left, "outputs")
    assert (digest, failure) == (digest_bytes(b"x" * 1000), None)
    assert not artifacts.has(old)
    left.write_bytes(b"y" * 501)
    digest, failure = await kept_outputs(log, artifacts).keep(left, "outputs")
    assert digest is None
    assert failure is not None
    assert "1000 of the quota of 1500 are taken" in failure.message


def test_outputs_may_have_half_of_the_reserve_and_break_no_upload_off(
    artifacts: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("usage", (), {"free": 1000})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    collector = Collector(artifacts, 0, 1000, set)
    artifacts.make_room = collector.make_room_for_output
    coming = Digest("0" * 64, 2000)
    artifacts.partial_path(coming).write_bytes(bytes(800))
    artifacts.make_room(500)
    with pytest.raises(StoreFull):
        artifacts.make_room(501)
    assert artifacts.partial_size(coming) == 800
    with pytest.raises(StoreFull):
        collector.make_room(1)


async def test_what_a_running_job_made_stays_until_its_result_names_it(
    log: JobLog, store: JobStore, artifacts: ArtifactStore, tmp_path: Path
) -> None:
    collector = Collector(artifacts, 1500, 0, store.needed)
    left = tmp_path / "profile.json"
    left.write_bytes(b"x" * 1000)
    digest, _ = await kept_outputs(log, artifacts).keep(left, "profile")
    assert digest is not None
    _age(artifacts, digest)
    with pytest.raises(StoreFull):
        collector.make_room(1000)
    assert artifacts.has(digest)
    await log.record(JobFinished("cancelled", None, ()))
    assert digest not in store.needed()
    collector.make_room(1000)
    assert not artifacts.has(digest)


async def test_a_dropped_job_leaves_what_others_made_or_wait_for(
    store: JobStore, artifacts: ArtifactStore, tmp_path: Path
) -> None:
    names = ("same output", "another's input", "alone")
    made, asked, alone = (_stored(artifacts, tmp_path / name, name.encode()) for name in names)
    arm = Arm("a", (FileRef("m.onnx", asked),), "null", "cpu", 1, "onnx", {}, {})
    old = store.create("old", SPEC)
    for number, (outputs, profile) in enumerate(((made, asked), (alone, None))):
        result = ArmResult(str(number), evaluation_outputs=outputs, operator_profile=profile)
        await old.record(ArmFinished(result))
    await old.record(JobFinished("succeeded", None, old.view.arms))
    store.create("waiting", JobSpec((arm,), 1, POLICY, None, 0, None))
    running = store.create("running", SPEC)
    digest, _ = await kept_outputs(running, artifacts).keep(tmp_path / "same output", "outputs")
    assert digest == made
    last = store.create("last", SPEC)
    await last.record(JobFinished("succeeded", None, ()))
    old.acknowledge()
    store.prune()
    assert old not in list(store)
    assert [artifacts.has(each) for each in (made, asked, alone)] == [True, True, False]


async def test_a_file_that_a_dropped_job_took_along_meanwhile_is_taken_again(
    log: JobLog, artifacts: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_file, times = artifacts.add_file, []

    def crossed(path: Path, most_bytes: int) -> Digest:
        digest = add_file(path, most_bytes)
        times.append(digest)
        if len(times) == 1:
            artifacts.remove(digest)
        return digest

    monkeypatch.setattr(artifacts, "add_file", crossed)
    (tmp_path / "f").write_text("x")
    digest, _ = await kept_outputs(log, artifacts).keep(tmp_path / "f", "outputs")
    assert digest is not None
    assert artifacts.has(digest)


def test_a_file_that_is_there_already_counts_as_used_now(
    artifacts: ArtifactStore, tmp_path: Path
) -> None:
    digest = _stored(artifacts, tmp_path / "f", b"x")
    assert artifacts.add_file(tmp_path / "f") == digest
    (kept,) = artifacts.kept()
    assert time.time() - kept.used_at < GRACE_S
    assert list(artifacts.partial_dir.iterdir()) == []


def _stored(artifacts: ArtifactStore, file: Path, data: bytes) -> Digest:
    """Used long ago."""
    file.write_bytes(data)
    digest = artifacts.add_file(file)
    _age(artifacts, digest)
    return digest


def _age(artifacts: ArtifactStore, digest: Digest) -> None:
    long_ago = time.time() - 2 * GRACE_S
    os.utime(artifacts.path(digest), (long_ago, long_ago))


async def test_an_agents_outputs_have_its_quota(tmp_path: Path) -> None:
    settings = Settings(parse_listen(f"unix:{tmp_path / 'a.sock'}"), tmp_path, quota_bytes=1000)
    artifacts = build_parts(settings).artifacts
    with pytest.raises(StoreFull, match="quota of 1000"):
        artifacts.make_room(1001)
