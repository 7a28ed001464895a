"""Three supervised agents, each behind a network that can be broken."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fault_proxy import FaultProxy
from supervised_agents import SupervisedAgent, running_agents
from system.faults.kit import TwelveJobs

MakeRun = Callable[..., TwelveJobs]


@pytest.fixture
def model(shared_data: Path) -> Path:
    return shared_data / "models" / "mnist.onnx"


@pytest.fixture
def agents(tmp_path: Path) -> Iterator[list[SupervisedAgent]]:
    with running_agents(tmp_path, 3) as started:
        yield started


@pytest.fixture
def make_run(tmp_path: Path, agents: list[SupervisedAgent], model: Path) -> Iterator[MakeRun]:
    """``make_run(name, patience_s=...)``: one host's run over all three."""
    with contextlib.ExitStack() as stack:
        made: list[TwelveJobs] = []

        def make(name: str = "host", patience_s: float = 30.0) -> TwelveJobs:
            proxies = [stack.enter_context(FaultProxy(agent.address)) for agent in agents]
            made.append(TwelveJobs(tmp_path / name, agents, proxies, model, patience_s))
            return made[-1]

        yield make
        for run in made:
            if not run.is_over:
                run.kill_host()


@pytest.fixture
def run(make_run: MakeRun) -> TwelveJobs:
    return make_run()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own where the first agent keeps its state, to be asked for first."""
    folder = tmp_path / "state-b1"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=160m", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"a small disk needs the right to mount: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=False)
