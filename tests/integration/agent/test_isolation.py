"""What isolation does to a job, over the wire."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from misbehaving_plug_in import register


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
