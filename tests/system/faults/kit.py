"""A run of twelve jobs on three agents, what may befall it, and how it must end all the same."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import psutil
from fault_proxy import FaultProxy
from google.protobuf.message import Message
from known_devices import know_devices
from supervised_agents import SupervisedAgent, wait_until
from trimtab_protos.v1 import benchmark_pb2
from twelve_jobs import ARMS, twelve_jobs

_COUNT = 12
# About what a run's jobs have in all, and how long it takes: moments are drawn from these.
_EVENTS = 160
_SECONDS = 12.0
_RUN_S = 300.0
_RESUMES = 8
_LEASE_S = 35.0
_DONE = (0, 1)  # 1: on a busy machine nothing can be chosen
_ENDED = {
    benchmark_pb2.Job.STATE_SUCCEEDED,
    benchmark_pb2.Job.STATE_FAILED,
    benchmark_pb2.Job.STATE_CANCELLED,
}


class TwelveJobs:
    """One host's run. ``proxies``: through which it reaches the agents, in their order."""

    def __init__(
        self,
        folder: Path,
        agents: Sequence[SupervisedAgent],
        proxies: Sequence[FaultProxy],
        model: Path,
        patience_s: float = 30.0,
    ) -> None:
        self.agents, self.proxies = agents, proxies
        self._folder = folder
        self._environment = {**os.environ, "TRIMTAB_HOME": str(folder / "home"), "COLUMNS": "140"}
        self._said = folder / "said.txt"
        self.host: subprocess.Popen[bytes] | None = None
        folder.mkdir(exist_ok=True)
        shutil.copy(model, folder / "mnist.onnx")
        (folder / "trimtab.toml").write_text(twelve_jobs(patience_s))
        know_devices(
            folder / "home",
            {
                agent.name: agent.reached_at(proxy.address)
                for agent, proxy in zip(agents, proxies, strict=True)
            },
        )

    def begin(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "trimtab", "run", "--format", "json", *arguments]
        with (self._folder / "results.json").open("wb") as out, self._said.open("ab") as said:
            self.host = subprocess.Popen(
                command, cwd=self._folder, env=self._environment, stdout=out, stderr=said
            )
        return self.host

    @property
    def is_over(self) -> bool:
        return self.host is None or self.host.poll() is not None

    def events(self) -> int:
        """That the agents have journaled so far."""
        return sum(
            journal.read_bytes().count(b"\n")
            for agent in self.agents
            for journal in agent.state.glob("jobs/*/events.jsonl")
        )

    def wait_for_moment(self, random: Random) -> str:
        """Some moment of the run, by how far it is or by the clock; says which."""
        if random.random() < 0.5:
            number = random.randrange(_EVENTS)
            wait_until(lambda: self.is_over or self.events() >= number, _RUN_S)
            return f"after event {number}"
        seconds = random.uniform(0, _SECONDS)
        deadline = time.monotonic() + seconds
        wait_until(lambda: self.is_over or time.monotonic() > deadline, _RUN_S)
        return f"after {seconds:.2f} s"

    def kill_host(self) -> None:
        assert self.host is not None
        self.host.kill()
        self.host.wait()

    def end(self) -> list[Mapping[str, Any]]:
        """Its results, resumed as often as that takes, within bounds."""
        assert self.host is not None
        code = self.host.wait(_RUN_S)
        for _ in range(_RESUMES):
            if code in _DONE:
                found: list[Mapping[str, Any]] = json.loads(
                    (self._folder / "results.json").read_text()
                )["results"]
                return found
            before = len(self._said.read_text())
            code = self.begin("--resume").wait(_RUN_S)
            if "no unfinished run" in self._said.read_text()[before:]:
                stored = self._stored()  # killed behind its end, or before its beginning
                if stored is not None:
                    return stored
                code = self.begin().wait(_RUN_S)
        raise AssertionError(f"not at its end after {_RESUMES} resumptions: {self.said()}")

    def said(self) -> str:
        return self._said.read_text()[-6000:]

    def check(self, results: Sequence[Mapping[str, Any]]) -> None:
        """Each result once, each job that finished collected and never asked for again."""
        found = [(each["device"]["name"], each["settings"]["threads"]) for each in results]
        errors = [each["error"] for each in results if each["error"] is not None]
        assert not errors, (errors, self.said())
        assert len(set(found)) == len(found) == _COUNT, found
        for agent in self.agents:
            _check_jobs(agent)
        assert list((self._folder / "home" / "unfinished").iterdir()) == []
        wait_until(lambda: not self.workers(), 15)
        wait_until(lambda: not self._locks(), _LEASE_S)

    def check_next_begins_at_once(self) -> None:
        """No lock is left: another run's first job is taken while one could count to twenty."""
        before = [len(agent.jobs()) for agent in self.agents]
        host = self.begin()
        wait_until(
            lambda: all(
                len(agent.jobs()) > count for agent, count in zip(self.agents, before, strict=True)
            ),
            20,
        )
        host.send_signal(signal.SIGINT)
        host.wait(60)

    def _locks(self) -> list[str]:
        """Agents that somebody holds, or waits for; a host killed behind its end holds them until
        its lease is over."""
        told = {agent.name: agent.status() for agent in self.agents}
        return [
            name for name, each in told.items() if each.HasField("lease") or each.waiting_holders
        ]

    def workers(self) -> list[psutil.Process]:
        """Of these agents: their tasks lie in the agents' folders."""
        states = [str(agent.state) for agent in self.agents]
        return [
            process
            for process in psutil.process_iter(["cmdline", "status"])
            if process.info["status"] != psutil.STATUS_ZOMBIE
            and "trimtab_agent.worker" in (command := " ".join(process.info["cmdline"] or ()))
            and any(state in command for state in states)
        ]

    def _stored(self) -> list[Mapping[str, Any]] | None:
        listed = self._trimtab("runs", "list", "--format", "json")
        runs = json.loads(listed.stdout)["runs"] if listed.returncode == 0 else []
        if not runs:
            return None
        shown = self._trimtab("runs", "show", runs[0]["run_id"], "--format", "json")
        assert shown.returncode in _DONE, shown.stderr
        results: list[Mapping[str, Any]] = json.loads(shown.stdout)["results"]
        return results

    def _trimtab(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "trimtab", *arguments],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


def _check_jobs(agent: SupervisedAgent) -> None:
    jobs = agent.jobs()
    assert all(job.state in _ENDED for job in jobs)
    for arm in ARMS:
        asked = [job for job in jobs if any(each.name == arm for each in job.spec.arms)]
        finished = [job for job in asked if _measured(job, arm)]
        assert len(finished) == 1, f"{agent.name}: {arm} was measured {len(finished)} times"
        assert finished[0] is asked[-1], f"{agent.name}: {arm} was asked for again"
        assert finished[0].acknowledged


def _measured(job: Message, arm: str) -> bool:
    return any(
        each.arm == arm and not each.HasField("error")
        for each in job.result.arms  # type: ignore[attr-defined]
    )


def kill_worker(agent: SupervisedAgent, is_over: Callable[[], bool]) -> bool:
    """The next that runs; whether there was one."""
    workers: list[psutil.Process] = []

    def found() -> bool:
        workers[:] = [
            child
            for child in psutil.Process(agent.pid).children()
            if "trimtab_agent.worker" in " ".join(_command(child))
        ]
        return bool(workers) or is_over()

    wait_until(found, _RUN_S)
    if not workers:
        return False
    with contextlib.suppress(psutil.NoSuchProcess):
        workers[0].send_signal(signal.SIGKILL)
    return True


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@contextlib.contextmanager
def frozen(agent: SupervisedAgent) -> Iterator[None]:
    agent.kill(signal.SIGSTOP)
    try:
        yield
    finally:
        agent.kill(signal.SIGCONT)


@contextlib.contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Not a byte is left on the folder's file system."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in (1 << 20, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"\1" * size)
    try:
        yield
    finally:
        filler.unlink()
