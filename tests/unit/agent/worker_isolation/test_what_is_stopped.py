"""A worker that does what none may is stopped, and says what it tried (real kernel, real ones)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from misbehaving_plug_in import register, task_of
from trimtab_agent.worker.isolation.state import Missing
from trimtab_agent.worker.process import run_worker

MINUTE_NS = 60_000_000_000
HALF_A_MINUTE = 30_000_000_000

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="made of what Linux has")


class Outcome:
    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.failure: Any = None

    @property
    def isolated(self) -> dict[str, Any]:
        return next(each for each in self.messages if each["kind"] == "isolated")

    def needs(self, part: str) -> None:
        if part in self.isolated["missing"]:
            pytest.skip(f"no {part} here: {self.isolated['missing'][part]}")


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    return tmp_path / "outside"


@pytest.fixture
def load(tmp_path: Path, outside: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    register(tmp_path / "plug-in", monkeypatch)
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    async def run(kind: str) -> Outcome:
        model = tmp_path / "model"
        model.write_text(f"{kind}\n{outside}")
        task = task_of(model)
        outcome = Outcome()
        outcome.failure = await run_worker(task, scratch, MINUTE_NS, outcome.messages.append)
        assert list(scratch.iterdir()) == []
        return outcome

    return run


@pytest.mark.parametrize("kind", ["well", "own file", "ipv6"])
async def test_what_is_allowed_goes_on(load: Any, kind: str) -> None:
    assert (await load(kind)).failure is None


@pytest.mark.parametrize("kind", ["socket", "native socket"])
async def test_a_socket_ends_the_worker(load: Any, kind: str) -> None:
    outcome = await load(kind)
    outcome.needs("seccomp")
    assert outcome.failure.failure_class == "model"
    assert "tried to open a network socket" in outcome.failure.message


async def test_a_write_elsewhere_ends_the_worker_though_it_is_caught(
    load: Any, outside: Path
) -> None:
    outcome = await load("write")
    assert outcome.failure.failure_class == "model"
    assert f"tried to write {outside}" in outcome.failure.message
    assert not outside.exists()


async def test_a_native_write_elsewhere_is_refused_and_told(load: Any, outside: Path) -> None:
    outcome = await load("native write")
    outcome.needs("landlock")
    assert outcome.failure.failure_class == "model"
    assert "may write only in its scratch folder" in outcome.failure.message
    assert not outside.exists()


async def test_a_native_write_that_its_library_hides_leaves_nothing(
    load: Any, outside: Path
) -> None:
    outcome = await load("quiet native write")
    outcome.needs("landlock")
    assert not outside.exists()


async def test_looking_into_processes_is_refused(load: Any) -> None:
    outcome = await load("ptrace")
    outcome.needs("seccomp")
    assert outcome.failure.failure_class == "model"


@pytest.mark.parametrize("limit", [60, pytest.param(0, marks=pytest.mark.slow, id="its own")])
@pytest.mark.parametrize("kind", ["fork", "fork away"])
async def test_processes_without_end_are_ended(
    load: Any, kind: str, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if limit:
        monkeypatch.setattr("trimtab_agent.worker.isolation.enclosure.most_tasks", lambda: limit)
    outcome = await load(kind)
    assert outcome.failure.failure_class == "model"
    assert "processes and threads, the limit of a worker" in outcome.failure.message
    assert _left_over() == 0


async def test_a_refusal_that_the_runtime_passes_on_is_the_models_fault(
    load: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trimtab_agent.worker.isolation.enclosure.most_tasks", lambda: 60)
    outcome = await load("fork and fail")
    assert outcome.failure.failure_class == "model"
    assert "processes and threads, the limit of a worker" in outcome.failure.message
    assert _left_over() == 0


@pytest.mark.parametrize("kind", ["fork", "fork away", "fork and fail"])
async def test_without_a_control_group_the_agent_looks(
    load: Any, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: Any) -> Any:
        raise Missing("ENOENT: no control groups")

    monkeypatch.setattr("trimtab_agent.worker.isolation.enclosure.TaskGroup", none)
    monkeypatch.setattr("trimtab_agent.worker.isolation.enclosure.most_tasks", lambda: 60)
    outcome = await load(kind)
    assert "ENOENT: no control groups" in outcome.isolated["missing"]["limit of processes"]
    assert "processes and threads, the limit of a worker" in outcome.failure.message
    assert _left_over() == 0


async def test_the_owner_may_switch_it_off(
    load: Any, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIMTAB_NO_ISOLATION", "1")
    outcome = await load("write")
    assert outcome.failure is None
    assert outside.exists()
    assert outcome.isolated["in_force"] == []
    assert "--no-isolation" in outcome.isolated["missing"]["everything"]


def _left_over() -> int:
    """Processes of this test's plug-in: their command line is the worker's."""
    listed = subprocess.run(["ps", "-eo", "ppid,args"], capture_output=True, text=True, check=True)
    lines = [line for line in listed.stdout.splitlines() if "trimtab_agent.worker" in line]
    return sum(str(os.getpid()) in line.split() for line in lines)
