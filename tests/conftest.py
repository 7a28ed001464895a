"""Fixtures for the whole suite: the test data, and real agents in processes of their own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real models and data, beside the repository or in TRIMTAB_TEST_DATA; see CONTRIBUTING.md."""
    folder = Path(os.environ.get("TRIMTAB_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (folder / "models").is_dir():
        pytest.skip(f"no test data: {folder} does not exist (set TRIMTAB_TEST_DATA)")
    return folder


_START_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 20.0
_READY = "listening on "


@dataclass
class RunningAgent:
    """``address`` is what gRPC takes: ``unix:PATH`` or ``127.0.0.1:PORT``."""

    address: str
    pid: int
    state: Path
    log: Path
    process: subprocess.Popen[bytes]

    def stop(self, with_signal: signal.Signals = signal.SIGTERM) -> int:
        """End it and wait; returns its exit code. Once more does nothing."""
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
        try:
            return self.process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


StartAgent = Callable[..., RunningAgent]


@pytest.fixture
def start_agent() -> Iterator[StartAgent]:
    """Start agents: ``start_agent(*serve_options, state=None, listen=None)``; all are stopped.

    ``python``: of another environment.
    """
    # Not tmp_path: a socket's path must stay under about 100 bytes.
    folder = Path(tempfile.mkdtemp(prefix="tt-"))
    agents: list[RunningAgent] = []

    def start(
        *options: str,
        state: Path | None = None,
        listen: str | None = None,
        python: str | Path = sys.executable,
    ) -> RunningAgent:
        number = len(agents)
        chosen = state or folder / f"state-{number}"
        log = folder / f"agent-{number}.log"
        where = listen or f"unix:{folder}/{number}.sock"
        command = [str(python), "-m", "trimtab_agent", "serve", "--listen", where]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, "--state", str(chosen), *options], stderr=output, stdout=output
            )
        agent = RunningAgent("", process.pid, chosen, log, process)
        agents.append(agent)
        agent.address = _wait_until_ready(agent)
        return agent

    yield start
    for agent in agents:
        agent.stop()
    shutil.rmtree(folder, ignore_errors=True)


def _wait_until_ready(agent: RunningAgent) -> str:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        for line in agent.log.read_text().splitlines():
            if _READY in line:
                return line.partition(_READY)[2]
        if agent.process.poll() is not None:
            break
        time.sleep(0.01)
    raise AssertionError(f"the agent did not start: {agent.log.read_text()}")
