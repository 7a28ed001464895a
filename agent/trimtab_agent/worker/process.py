"""The agent's side of a worker: start it, read its messages, end it, say why it ended."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import os
import signal
import sys
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

from trimtab_protos.failure import FAILURE_CLASSES, Failure, FailureClass

from trimtab_agent.worker.isolation.counts import most_tasks
from trimtab_agent.worker.isolation.enclosure import Enclosure
from trimtab_agent.worker.isolation.orphans import ORPHANS
from trimtab_agent.worker.messages import WorkerTask
from trimtab_agent.worker.obituary import (
    beyond_memory,
    died_of_signal,
    ended_without_a_word,
    killed,
    outgrown,
    overfull,
    timed_out,
)
from trimtab_agent.worker.oom import count_kills, group_limit_bytes, killed_for_memory

Message = dict[str, Any]
OnMessage = Callable[[Message], Awaitable[None] | None]
OnStart = Callable[[int], None]

_LINE_LIMIT_BYTES = 8 << 20  # a full batch of samples is some 300 kB
_TAIL_BYTES = 16 << 10
_READ_BYTES = 4 << 10
_LAST_WORDS_S = 1.0
_EXITING_S = 0.01


class WorkerProcess:
    """One worker; ``pid`` is None until it runs, ``phase`` is what it was last heard doing."""

    def __init__(self, task: WorkerTask, scratch: Path) -> None:
        self.pid: int | None = None
        self.phase = "start"
        self._task = task
        self._task_file = scratch / f"task-{uuid.uuid4().hex}.json"
        self._tail = b""
        self._finished = False
        self._process: asyncio.subprocess.Process | None = None
        self._failure: Failure | None = None
        self._kills_before = count_kills()
        self._enclosure = Enclosure(task, scratch)

    async def run(
        self, timeout_ns: int, on_message: OnMessage, on_start: OnStart | None = None
    ) -> Failure | None:
        """Run the task to its end; None is success. Cancelling kills the worker and its children.

        ``on_message`` gets every message but ``done`` and ``failed``, which are the return value.
        What it raises ends the worker and is raised here.
        """
        process: asyncio.subprocess.Process | None = None
        try:
            self._task_file.write_text(self._enclosure.open().to_json(), encoding="utf-8")
            process = await self._start()
            self.pid = process.pid
            self._process = process
            self._enclosure.watch(process.pid)
            if on_start is not None:
                on_start(process.pid)
            await asyncio.wait_for(self._converse(process, on_message), timeout_ns / 1e9)
        except asyncio.TimeoutError:  # before Python 3.11 not the builtin
            return timed_out(self.phase, timeout_ns)
        finally:
            if process is not None:
                self._enclosure.end()  # first: waiting may last while a child holds the pipes
                await process.wait()
            self._task_file.unlink(missing_ok=True)
            self._enclosure.close()
        if self._enclosure.overfull:
            return overfull(self.phase, most_tasks())
        if self._enclosure.kept_bytes:
            return outgrown(self.phase, self._enclosure.kept_bytes, self._task.kept_limit_bytes)
        failure = self._outcome(process.returncode)
        if failure is None or process.returncode == -signal.SIGKILL:  # no limit of ours kills so
            return failure
        return beyond_memory(failure, self._task.memory_limit_bytes)

    def tell(self, command: Message) -> None:
        """A line on the standard input of a worker in mode "blocks"."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(json.dumps(command).encode() + b"\n")

    def tell_no_more(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def pause(self) -> None:
        """Stop all its threads and children until :meth:`resume`; it can still be killed."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)

    async def _start(self) -> asyncio.subprocess.Process:
        commanded = self._task.mode == "blocks"
        return await ORPHANS.start_leader(
            sys.executable,
            "-m",
            "trimtab_agent.worker",
            str(self._task_file),
            str(os.getpid()),
            stdin=asyncio.subprocess.PIPE if commanded else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_LINE_LIMIT_BYTES,
        )

    async def _converse(self, process: asyncio.subprocess.Process, on_message: OnMessage) -> None:
        assert process.stdout is not None  # noqa: S101 - both are pipes, see _start
        assert process.stderr is not None  # noqa: S101
        listening = asyncio.ensure_future(self._keep_tail(process.stderr))
        try:
            while line := await process.stdout.readline():
                await self._take(line, on_message)
                if self._finished or self._failure is not None:
                    break
            # A child of the worker's may hold its output and standard error open for ever.
            while process.returncode is None:  # noqa: ASYNC110 - wait() waits for the pipes too
                await asyncio.sleep(_EXITING_S)
            await asyncio.wait({listening}, timeout=_LAST_WORDS_S)
        finally:
            listening.cancel()

    async def _take(self, line: bytes, on_message: OnMessage) -> None:
        try:
            message: Message = json.loads(line)
            kind = message["kind"]
        except (ValueError, KeyError, TypeError):
            return  # a line cut off by the worker's death: its exit says more
        if kind == "done":
            self._finished = True
        elif kind == "failed":
            self._failure = _failure(message)
        else:
            if kind == "phase":
                self.phase = str(message["phase"])
            answer = on_message(message)
            if inspect.isawaitable(answer):
                await answer

    async def _keep_tail(self, stream: asyncio.StreamReader) -> None:
        while chunk := await stream.read(_READ_BYTES):
            self._tail = (self._tail + chunk)[-_TAIL_BYTES:]

    def _outcome(self, returncode: int | None) -> Failure | None:
        if self._failure is not None or self._finished:
            return self._failure
        tail = self._tail.decode("utf-8", "replace")
        if returncode == -signal.SIGKILL:
            for_memory = killed_for_memory(self._kills_before, count_kills())
            return killed(self.phase, for_memory, group_limit_bytes())
        if returncode is not None and returncode < 0:
            return died_of_signal(-returncode, self.phase, tail)
        return ended_without_a_word(returncode, self.phase, tail)


async def run_worker(
    task: WorkerTask,
    scratch: Path,
    timeout_ns: int,
    on_message: OnMessage,
    on_start: OnStart | None = None,
) -> Failure | None:
    """:meth:`WorkerProcess.run` for one task; ``on_start`` gets the worker's process id."""
    return await WorkerProcess(task, scratch).run(timeout_ns, on_message, on_start)


def _failure(message: Message) -> Failure:
    name = message.get("failure_class")
    known = name if name in FAILURE_CLASSES else "harness"
    return Failure(cast(FailureClass, known), str(message.get("message", "")))
