"""What isolation does to a job, over the wire."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from misbehaving_plug_in import register
from trimtab_protos.errors import status_to_failure


def test_a_job_says_what_isolation_was_in_force(client: Any, make_spec: Any, mnist: bytes) -> None:
    spec = make_spec({"mnist": (client.upload(mnist), "mnist.onnx")}, repeats=1)
    (arm,) = client.finished(client.submit(spec)).result.arms
    assert not arm.HasField("error")
    told = arm.conditions["isolation"] + arm.conditions.get("isolation_missing", "")
    for part in ("no new privileges", "landlock", "seccomp"):
        assert part in told


def test_a_model_that_opens_a_socket_fails_its_arm_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start_agent: Any, connect: Any, make_spec: Any
) -> None:
    register(tmp_path / "plug-in", monkeypatch)
    client = connect(start_agent().address)
    digest = client.upload(b"socket\n")
    spec = make_spec({"bad": (digest, "bad.null")}, "misbehaving", "null", repeats=1)
    (arm,) = client.finished(client.submit(spec)).result.arms
    assert "tried to open a network socket" in arm.error.message


def test_a_job_says_what_its_workers_may_keep_in_memory(
    start_agent: Any, connect: Any, make_spec: Any, mnist: bytes
) -> None:
    for given, said in (
        (("--max-worker-memory-mb", "900"), "64000 (the job's), 900 (the device's)"),
        (("--max-worker-memory-mb", "0"), "64000 (the job's)"),
    ):
        client = connect(start_agent(*given).address)
        spec = make_spec({"mnist": (client.upload(mnist), "mnist.onnx")}, repeats=1)
        spec.policy.memory_limit_bytes = 64_000_000_000
        (arm,) = client.finished(client.submit(spec)).result.arms
        assert arm.conditions["memory_limit_mb"] == said


def test_without_being_asked_the_device_keeps_some_of_its_memory(
    client: Any, make_spec: Any, mnist: bytes
) -> None:
    spec = make_spec({"mnist": (client.upload(mnist), "mnist.onnx")}, repeats=1)
    (arm,) = client.finished(client.submit(spec)).result.arms
    assert not arm.HasField("error")
    megabytes, whose = arm.conditions["memory_limit_mb"].split(maxsplit=1)
    assert whose == "(the device's)"
    assert 0 < int(megabytes) < psutil.virtual_memory().total / 1e6


def test_a_model_beyond_the_devices_limit_fails_its_arm_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start_agent: Any, connect: Any, make_spec: Any
) -> None:
    register(tmp_path / "plug-in", monkeypatch)
    client = connect(start_agent("--max-worker-memory-mb", "200").address)
    digest = client.upload(b"keep\n")
    spec = make_spec({"big": (digest, "big.null")}, "misbehaving", "null", repeats=1)
    (arm,) = client.finished(client.submit(spec)).result.arms
    failure = status_to_failure(arm.error)
    assert failure.failure_class == "resources"
    assert "the device lets it keep 200 MB" in failure.message


@pytest.fixture
def passable() -> Iterator[Path]:
    """A state folder's place that all users may pass."""
    with tempfile.TemporaryDirectory(prefix="tt-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's agent can make its workers another user")
def test_a_worker_is_another_user_where_the_agent_is_root(
    passable: Path, start_agent: Any, connect: Any, make_spec: Any, mnist: bytes
) -> None:
    client = connect(start_agent("--worker-user", "nobody", state=passable / "state").address)
    spec = make_spec({"mnist": (client.upload(mnist), "mnist.onnx")}, repeats=1)
    (arm,) = client.finished(client.submit(spec)).result.arms
    assert not arm.HasField("error")
    missing = arm.conditions.get("isolation_missing", "")
    if "nobody cannot use" in missing:
        assert "install the agent where all may read" in missing
        pytest.skip("this interpreter lies where only root can read; the job says so and runs")
    assert "user nobody" in arm.conditions["isolation"]
