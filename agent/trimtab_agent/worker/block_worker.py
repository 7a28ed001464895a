"""The agent's side of a worker that measures in blocks, stopped while it is not its turn."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from trimtab_protos.failure import Failure

from trimtab_agent.records import BlockSchedule
from trimtab_agent.worker.messages import WorkerTask
from trimtab_agent.worker.process import Message, WorkerProcess

_ENDED_EARLY = Failure("harness", "the worker ended before it was told to")


class WorkerEnded(Exception):
    """It did not do what it was told; ``failure`` says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class BlockWorker:
    """Between two calls its process is stopped. :meth:`kill` must be called in the end."""

    def __init__(
        self,
        task: WorkerTask,
        scratch: Path,
        timeout_ns: int,
        hear: Callable[[Message], Awaitable[None]],
    ) -> None:
        self._process = WorkerProcess(task, scratch)
        self._timeout_ns = timeout_ns
        self._hear = hear
        self._messages: asyncio.Queue[Message | None] = asyncio.Queue()
        self._running: asyncio.Task[Failure | None] | None = None

    @property
    def pid(self) -> int | None:
        """None until it runs."""
        return self._process.pid

    async def start(self) -> None:
        """Load and warm up. Raises WorkerEnded."""
        work = self._process.run(self._timeout_ns, self._messages.put_nowait)
        self._running = asyncio.ensure_future(work)
        self._running.add_done_callback(lambda _: self._messages.put_nowait(None))
        await self._listen_until("ready")
        self._process.pause()

    async def block(self, index: int, schedule: BlockSchedule) -> None:
        """Run one block. Raises WorkerEnded."""
        self._process.resume()
        self._process.tell(
            {
                "block_index": index,
                "duration_ns": schedule.duration_ns,
                "discard_count": schedule.discard_count,
            }
        )
        await self._listen_until("block")
        self._process.pause()

    async def finish(self) -> None:
        """Let it end by itself. Raises WorkerEnded where it ends otherwise."""
        assert self._running is not None  # noqa: S101 - started before
        self._process.resume()
        self._process.tell_no_more()
        while (message := await self._messages.get()) is not None:
            await self._hear(message)
        failure = await self._running
        if failure is not None:
            raise WorkerEnded(failure)

    async def kill(self) -> None:
        """Whatever it is doing, stopped or not; nothing where it has ended."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def _listen_until(self, kind: str) -> None:
        assert self._running is not None  # noqa: S101 - started before
        while (message := await self._messages.get()) is not None:
            await self._hear(message)
            if message["kind"] == kind:
                return
        raise WorkerEnded(await self._running or _ENDED_EARLY)
