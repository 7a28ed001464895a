"""A device whose disk is full: uploads, events and results, on a small file system of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from trimtab.fleet.client import AgentClient
from trimtab.fleet.transfer import FilesRefused, push
from trimtab_protos.digest import Digest, digest_file
from trimtab_protos.errors import StoreFull, status_to_failure
from trimtab_protos.v1 import benchmark_pb2

_MB = 1_000_000
# The agent keeps 100 MB in reserve for what jobs write.
_DISK = 140 * _MB
_FULL = "the device's disk is full: free some room"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mounting, stderr=-3).returncode:
        pytest.skip("a file system of a chosen size can only be mounted by root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def _file(folder: Path, name: str, size: int) -> tuple[Path, Digest]:
    path = folder / name
    path.write_bytes(os.urandom(size))
    return path, digest_file(path)


def _fill(folder: Path, leave: int) -> Path:
    path = folder / "somebody-elses"
    with path.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while (free := shutil.disk_usage(folder).free) > leave:
            file.write(bytes(min(free - leave, _MB)))
    return path


async def _push(address: str, *files: tuple[Path, Digest]) -> list[str]:
    sent: list[str] = []
    async with AgentClient("board", address) as client:
        await push(client, files, 0, lambda path, size: sent.append(path.name))
    return sent


async def test_what_does_not_fit_is_refused_before_it_is_sent_and_the_rest_goes_on(
    start_agent: Any, small_disk: Path, tmp_path: Path
) -> None:
    agent = start_agent(state=small_disk / "state")
    large = _file(tmp_path, "large", 50 * _MB)
    small = [_file(tmp_path, f"small-{number}", _MB) for number in range(3)]
    with pytest.raises(FilesRefused) as caught:
        await _push(agent.address, small[0], large, *small[1:])
    assert list(caught.value.errors) == [large[1]]
    assert isinstance(caught.value.first, StoreFull)
    assert await _push(agent.address, *small) == []
    artifacts = small_disk / "state" / "artifacts"
    assert sum(path.is_file() for path in artifacts.rglob("*")) == len(small)


async def test_a_disk_that_fills_up_meanwhile_keeps_its_reserve_and_what_was_broken_off_goes_first(
    start_agent: Any, small_disk: Path, tmp_path: Path
) -> None:
    agent = start_agent(state=small_disk / "state")
    large = _file(tmp_path, "large", 30 * _MB)
    partials = small_disk / "state" / "artifacts" / "partial"
    pushing = asyncio.create_task(_push(agent.address, large))
    while not any(path.stat().st_size > 2 * _MB for path in partials.iterdir()):  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    _fill(small_disk, 101 * _MB)
    with pytest.raises(FilesRefused, match="kept in reserve"):
        await pushing
    assert shutil.disk_usage(small_disk).free >= 99 * _MB
    (partial,) = partials.iterdir()
    begun = partial.stat().st_size
    assert 0 < begun < 30 * _MB
    free = shutil.disk_usage(small_disk).free - 100 * _MB
    small = _file(tmp_path, "small", max(free, 0) + begun // 2)
    assert await _push(agent.address, small) == ["small"]
    assert list(partials.iterdir()) == []


def test_a_job_on_a_full_disk_ends_with_class_resources_and_the_next_one_runs(
    start_agent: Any, connect: Any, make_spec: Any, error_of: Any, small_disk: Path
) -> None:
    agent = start_agent(state=small_disk / "state")
    client = connect(agent.address)
    models = {"m": (client.upload(b"any"), "any.onnx")}
    job_id = client.submit(make_spec(models, runtime="null", repeats=100, min_duration_s=0.3))
    events = client.watch(job_id)
    while next(events).WhichOneof("kind") != "sample_batch":
        pass
    others = _fill(small_disk, 0)
    failure = status_to_failure(client.finished(job_id).error)
    assert (failure.failure_class, failure.message) == ("resources", _FULL)

    _fill(small_disk, 0)
    quick = make_spec(models, runtime="null", repeats=1)
    assert isinstance(error_of(lambda: client.submit(quick)), StoreFull)

    others.unlink()
    assert client.finished(client.submit(quick)).state == benchmark_pb2.Job.STATE_SUCCEEDED
    agent.stop()
    again = connect(start_agent(state=agent.state).address)
    assert status_to_failure(again.job(job_id).error).message == _FULL
