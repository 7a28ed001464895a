"""What a worker started ends with it, wherever it went, and nothing else does (real processes)."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from trimtab_agent.worker.isolation import orphans
from trimtab_agent.worker.isolation.orphans import ORPHANS, Orphans
from trimtab_agent.worker.isolation.state import Missing
from trimtab_agent.worker.messages import WorkerTask
from trimtab_agent.worker.process import run_worker

MINUTE_NS = 60_000_000_000
ENDLESS = WorkerTask(mode="repeat", runtime="null", warmup_duration_ns=MINUTE_NS)
_SLEEP = (sys.executable, "-c", "import time; time.sleep(60)")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux gives orphans to subreapers")


@pytest.fixture(autouse=True)
def no_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: Any) -> Any:
        raise Missing("ENOENT: no control groups")

    monkeypatch.setattr("trimtab_agent.worker.isolation.enclosure.TaskGroup", none)


def workers_processes() -> list[psutil.Process]:
    """Of this test's workers: their command line names this process."""
    found = []
    for process in psutil.process_iter():
        try:
            line = process.cmdline()
        except psutil.Error:
            continue
        if "trimtab_agent.worker" in line and line[-1] == str(os.getpid()):
            found.append(process)
    return found


def dead_children() -> list[int]:
    own = psutil.Process().children()
    return [each.pid for each in own if each.status() == psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("kind", ["leave behind", "leave behind, holding pipes"])
async def test_what_left_for_a_session_of_its_own_ends_with_the_worker(
    misbehaving_task: Any, tmp_path: Path, kind: str
) -> None:
    messages: list[dict[str, Any]] = []
    began = time.monotonic()
    assert await run_worker(misbehaving_task(kind), tmp_path, MINUTE_NS, messages.append) is None
    assert any(each["kind"] == "samples" for each in messages)
    assert workers_processes() == []
    assert dead_children() == []
    assert time.monotonic() - began < 30


async def test_it_is_counted_though_its_parents_are_dead(
    misbehaving_task: Any, tmp_path: Path
) -> None:
    """Worker, and what is left behind: one process with one thread more."""
    counted: dict[str, int] = {}
    pids: list[int] = []

    def hear(message: dict[str, Any]) -> None:
        if message["kind"] in ("phase", "loaded"):
            counted[message["kind"]] = len(ORPHANS.members(pids[0]))

    task = misbehaving_task("leave behind")
    assert await run_worker(task, tmp_path, MINUTE_NS, hear, pids.append) is None
    assert counted["loaded"] == 2


async def test_another_worker_and_helpers_go_on(misbehaving_task: Any, tmp_path: Path) -> None:
    warm = asyncio.Event()
    pids: list[int] = []

    def listen(message: dict[str, Any]) -> None:
        if message.get("phase") == "warm_up":
            warm.set()

    other = asyncio.create_task(run_worker(ENDLESS, tmp_path, MINUTE_NS, listen, pids.append))
    await warm.wait()
    leader = await ORPHANS.start_leader(*_SLEEP)
    with subprocess.Popen(_SLEEP) as helper:  # noqa: ASYNC220 - as our helpers are started
        task = misbehaving_task("leave behind")
        assert await run_worker(task, tmp_path, MINUTE_NS, lambda _: None) is None
        left = [each.pid for each in workers_processes()]
        assert left == pids
        assert helper.poll() is None
        assert leader.returncode is None
        assert psutil.pid_exists(leader.pid)
        helper.kill()
    leader.kill()
    assert await leader.wait() == -9, "its status was not taken away"
    ORPHANS.forget(leader.pid)
    other.cancel()
    with pytest.raises(asyncio.CancelledError):
        await other
    assert workers_processes() == []


async def test_one_that_is_being_started_is_not_taken_for_left_behind() -> None:
    """Between its beginning and its number being known it looks just so."""
    ours = Orphans()
    ours.expect()
    starting = asyncio.create_task(ours.start_leader(*_SLEEP))
    try:
        while not starting.done():
            ours.end()
            await asyncio.sleep(0)
        process = await starting
        ours.end()
        assert process.returncode is None
        assert psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE
        process.kill()
        await process.wait()
    finally:
        ours.expect_no_more()


@pytest.fixture
def inheriting() -> Iterator[Orphans]:
    ours = Orphans()
    ours.expect()
    yield ours
    ours.expect_no_more()


def test_what_gave_up_no_privileges_is_nobodys_worker(inheriting: Orphans) -> None:
    """Such as a plug-in's own service, or another program's where the agent is the first one."""
    if "NoNewPrivs:\t1" in Path("/proc/self/status").read_text():
        pytest.skip("this process has given them up itself, and all that it starts")
    with subprocess.Popen(_SLEEP, start_new_session=True) as stranger:
        time.sleep(0.2)
        inheriting.end()
        assert stranger.poll() is None
        stranger.kill()


def test_the_dead_that_a_helper_left_do_not_pile_up(
    inheriting: Orphans, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orphans, "_REAP_EVERY_S", 0.0)
    leave_five = ["sh", "-c", "for i in 1 2 3 4 5; do sleep 0.1 & done"]
    subprocess.run(leave_five, check=True)
    failing = subprocess.Popen(["sh", "-c", "exit 3"])
    _until(lambda: len(dead_children()) == 6)
    inheriting.reap_now_and_then()
    assert len(dead_children()) == 6, "whoever waits for it may only be slow"
    assert failing.wait() == 3
    inheriting.reap_now_and_then()
    assert dead_children() == []


async def test_it_inherits_only_while_a_worker_runs(tmp_path: Path) -> None:
    task = WorkerTask("describe", "null")
    assert await run_worker(task, tmp_path, MINUTE_NS, lambda _: None) is None
    made = subprocess.run(  # noqa: ASYNC221 - it is done at once
        ["sh", "-c", "sleep 5 >/dev/null & echo $!"], stdout=subprocess.PIPE, check=True
    )
    orphan = psutil.Process(int(made.stdout))
    assert orphan.ppid() != os.getpid()
    orphan.kill()


def _until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)
