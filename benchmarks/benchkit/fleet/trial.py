"""One run over so many agents: what the host used, and whether every job is there once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchkit.fleet.agents import FleetAgent
from benchkit.fleet.host import HostPlan, HostUse, use_from
from benchkit.fleet.serialising import SerialisingCost, write_jobs

_BENCHMARKS = Path(__file__).resolve().parent.parent.parent
_LOOK_S = 0.5
_SERIALISED_JOBS = 200


@dataclass(frozen=True)
class Audit:
    """``lost``: asked for and without a result, or without its job on the agent. ``doubled``: jobs
    on agents that no result is of, and results that share a job."""

    jobs: int
    lost: tuple[str, ...]
    doubled: tuple[str, ...]


@dataclass(frozen=True)
class Trial:
    use: HostUse
    audit: Audit
    serialising: SerialisingCost
    most_open_files: int


def run_trial(agents: Sequence[FleetAgent], jobs_per_agent: int) -> Trial:
    """Raises RuntimeError where the host ended badly."""
    before = {agent.name: _job_ids(agent) for agent in agents}
    with tempfile.TemporaryDirectory(prefix="ttf-host-") as folder:
        devices = tuple((agent.name, agent.address) for agent in agents)
        plan = Path(folder) / "plan.json"
        state = Path(folder) / "host"
        state.mkdir()
        plan.write_text(HostPlan(devices, jobs_per_agent, str(state)).to_json())
        document, most_open = _run("benchkit.fleet.host", str(plan))
        use = use_from(document)
        made = {agent.name: _job_ids(agent) - before[agent.name] for agent in agents}
        audit = audited(use.jobs, made, jobs_per_agent)
        cost = _serialising(agents, use, Path(folder), jobs_per_agent)
    return Trial(use, audit, cost, most_open)


def audited(
    results: Sequence[tuple[str, str, str]], made: Mapping[str, set[str]], jobs_per_agent: int
) -> Audit:
    """``results``: device, job and failure of each. ``made``: the jobs that each agent has."""
    lost = [f"{device}: {failure}" for device, _, failure in results if failure]
    doubled: list[str] = []
    for device, there in made.items():
        told = Counter(job for each, job, _ in results if each == device)
        lost += [f"{device}: no result"] * max(0, jobs_per_agent - told.total())
        lost += [f"{device}: no job {job} on it" for job in sorted(told.keys() - there - {""})]
        doubled += [f"{device}: nobody has {job}" for job in sorted(there - told.keys())]
        doubled += [f"{device}: {job} {n} times" for job, n in told.items() if n > 1 and job]
    return Audit(len(results), tuple(lost), tuple(doubled))


def _job_ids(agent: FleetAgent) -> set[str]:
    return {job.job_id for job in agent.jobs()}


def _serialising(
    agents: Sequence[FleetAgent], use: HostUse, folder: Path, jobs_per_agent: int
) -> SerialisingCost:
    by_name = {agent.name: agent for agent in agents}
    good = [(device, job) for device, job, failure in use.jobs if not failure]
    events = folder / "events.bin"
    write_jobs(events, [by_name[name].raw_events(job) for name, job in good[:_SERIALISED_JOBS]])
    arguments = (str(events), str(folder), str(jobs_per_agent))
    document, _ = _run("benchkit.fleet.serialising", *arguments)
    return SerialisingCost(**document)


def _run(module: str, *arguments: str) -> tuple[dict[str, Any], int]:
    """What it printed, and the most files that it had open."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        env={**os.environ, "PYTHONPATH": str(_BENCHMARKS)},
        stdout=subprocess.PIPE,
        text=True,
    )
    seen: list[int] = [0]
    ended = threading.Event()
    watching = threading.Thread(target=_watch_files, args=(process.pid, ended, seen))
    watching.start()
    try:
        output, _ = process.communicate()
    finally:
        process.kill()
        ended.set()
        watching.join()
    if process.returncode != 0:
        raise RuntimeError(f"{module} ended with {process.returncode}")
    document: dict[str, Any] = json.loads(output.splitlines()[-1])
    return document, max(seen)


def _watch_files(pid: int, ended: threading.Event, seen: list[int]) -> None:
    while not ended.wait(_LOOK_S):
        try:
            seen.append(psutil.Process(pid).num_fds())
        except psutil.Error:
            return
