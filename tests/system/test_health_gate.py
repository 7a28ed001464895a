"""``trimtab bench`` and a real agent whose battery is too low for a job: it is waited for."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from board_trees import plant_board
from known_devices import know_devices
from supervised_agents import SupervisedAgent, running_agents, wait_until

Trimtab = Callable[..., subprocess.CompletedProcess[str]]
BENCH = ("bench", "any.onnx", "--device", "b1", "--runtime", "null", "--repeats", "1")
GATE = ("--set", "min_battery_percent=90")


@pytest.fixture
def capacity(tmp_path: Path) -> Path:
    """In per cent, as the board's battery tells it: 73."""
    return plant_board(tmp_path / "board", "intel-laptop") / "sys/class/power_supply/BAT0/capacity"


@pytest.fixture
def agent(tmp_path: Path, capacity: Path) -> Iterator[SupervisedAgent]:
    (tmp_path / "any.onnx").write_bytes(b"any")
    with running_agents(tmp_path, 1, ("--root", str(capacity.parents[4]))) as (agent,):
        know_devices(tmp_path / "home", {"b1": agent.address})
        yield agent


def test_a_device_that_becomes_fit_while_it_is_waited_for_is_measured(
    tmp_path: Path, environment: dict[str, str], agent: SupervisedAgent, capacity: Path
) -> None:
    said = tmp_path / "said.txt"
    command = [sys.executable, "-m", "trimtab", *BENCH, *GATE, "--format", "json"]
    command += ["--attempts", "1", "--patience", "2m"]
    with (
        said.open("wb") as errors,
        subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=errors
        ) as host,
    ):
        wait_until(lambda: said.read_text().count("waiting, ") >= 2)
        capacity.write_text("95\n")
        written, _ = host.communicate(timeout=120)

    assert host.returncode == 0, said.read_text()
    assert "the battery is at 73 %, 90 % are asked for: charge it" in said.read_text()
    (result,) = json.loads(written)["results"]
    assert result["error"] is None
    assert len(agent.finished_arms()) == 1
    assert all(job.acknowledged for job in agent.jobs())


def test_it_is_set_aside_when_patience_is_over(trimtab: Trimtab, agent: SupervisedAgent) -> None:
    began = time.monotonic()
    done = trimtab(*BENCH, *GATE, "--patience", "6s")

    assert done.returncode == 3
    assert 6 <= time.monotonic() - began < 60
    assert "waiting, 6 s more at most: the battery is at 73 %" in done.stderr
    assert "failed: b1" in done.stderr or "set aside: the health gate refused" in done.stderr
    assert len(agent.jobs()) >= 3
    assert not agent.status().HasField("lease")


def test_a_deadline_ends_the_waiting(trimtab: Trimtab, agent: SupervisedAgent) -> None:
    done = trimtab(*BENCH, *GATE, "--deadline", "5s", "--patience", "10m", timeout=60)

    assert done.returncode == 3
    assert "the run's deadline passed" in done.stderr
