"""An agent with no more rights than deploy/ gives one on the network."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from trimtab_protos.v1 import benchmark_pb2

_DROP_IN = Path(__file__).resolve().parents[3] / "deploy" / "trimtab-agent-network.conf"


@pytest.fixture
def passable() -> Iterator[Path]:
    """A state folder's place that all users may pass."""
    with tempfile.TemporaryDirectory(prefix="tt-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def with_its_rights(tmp_path: Path) -> Path:
    """A Python that has them and can get no others."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root can take rights away from an agent that is root")
    parts = [line.partition("CapabilityBoundingSet=") for line in _DROP_IN.read_text().splitlines()]
    lines = [value for _, _, value in parts]
    rights = [f"+{each.removeprefix('CAP_').lower()}" for line in lines for each in line.split()]
    program = tmp_path / "python"
    held = ",".join(["-all", *rights])
    program.write_text(
        f'#!/bin/sh\nexec setpriv --no-new-privs --bounding-set={held} {sys.executable} "$@"\n'
    )
    program.chmod(0o700)
    return program


def test_its_workers_are_another_user_and_nothing_of_them_stays(
    passable: Path, with_its_rights: Path, start_agent: Any, connect: Any, make_spec: Any
) -> None:
    state = passable / "state"
    agent = start_agent("--worker-user", "nobody", state=state, python=with_its_rights)
    client = connect(agent.address)
    status = Path(f"/proc/{agent.pid}/status").read_text().splitlines()
    held = next(line.split()[1] for line in status if line.startswith("CapEff:"))
    assert int(held, 16).bit_count() == 7
    spec = make_spec({"a": (client.upload(b"any"), "any.onnx")}, "null", repeats=1)
    spec.profile_operators = True
    job = client.finished(client.submit(spec))
    assert job.state == benchmark_pb2.Job.STATE_SUCCEEDED
    (arm,) = job.result.arms
    assert not arm.HasField("error")
    if "nobody cannot use" in arm.conditions.get("isolation_missing", ""):
        pytest.skip("this interpreter lies where only root can read")
    assert "user nobody" in arm.conditions["isolation"]
    assert list((state / "scratch").iterdir()) == []
