"""What a host and its agents hold after so many jobs, in memory and in open files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchkit.fleet.agents import FleetAgent
from benchkit.fleet.host import HostPlan

# An idle agent looks every ten seconds whether it has free memory to give back.
_IDLE_S = 12.0
_BENCHMARKS = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Held:
    """By process: "host", and each agent's name."""

    memory_bytes: dict[str, int]
    open_files: dict[str, int]


class Soak:
    """A host process in front of agents; between two calls all of them idle."""

    def __init__(self, agents: Sequence[FleetAgent], process: subprocess.Popen[str]) -> None:
        self._agents = agents
        self._process = process

    def jobs(self, on_each: int) -> Held:
        """Runs so many jobs on every agent. Raises RuntimeError where one of them fails."""
        assert self._process.stdin is not None  # noqa: S101 - both are pipes
        assert self._process.stdout is not None  # noqa: S101
        self._process.stdin.write(f"{on_each}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the host ended")
        told = json.loads(line)
        if told["failures"] or told["results"] != on_each * len(self._agents):
            raise RuntimeError(f"{told['results']} results; {told['failures']}")
        agents = self._agents
        time.sleep(_IDLE_S)
        return Held(
            {"host": told["memory_bytes"], **{each.name: each.memory_bytes() for each in agents}},
            {"host": told["open_files"], **{each.name: each.open_files() for each in agents}},
        )


@contextmanager
def soaking(agents: Sequence[FleetAgent], most_jobs: int) -> Iterator[Soak]:
    """``most_jobs``: the most that one call asks of each agent."""
    with tempfile.TemporaryDirectory(prefix="ttf-soak-") as folder:
        devices = tuple((agent.name, agent.address) for agent in agents)
        plan = Path(folder) / "plan.json"
        plan.write_text(HostPlan(devices, most_jobs, folder).to_json())
        process = subprocess.Popen(
            [sys.executable, "-m", "benchkit.fleet.soak_host", str(plan)],
            env={**os.environ, "PYTHONPATH": str(_BENCHMARKS)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield Soak(agents, process)
        finally:
            process.kill()
            process.communicate()


def growth(before: Held, after: Held) -> dict[str, tuple[float, float]]:
    """By process: the share by which its memory and its open files grew."""
    return {
        name: (
            after.memory_bytes[name] / before.memory_bytes[name] - 1,
            after.open_files[name] / before.open_files[name] - 1,
        )
        for name in before.memory_bytes
    }
