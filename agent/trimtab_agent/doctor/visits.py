"""The examination on a host's behalf: one at a time, and never beside a job."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from trimtab_protos.errors import DeviceMeasuring, InternalError

from trimtab_agent.doctor.finding import Examination, Finding
from trimtab_agent.worker.isolation.orphans import ORPHANS

_LOG = logging.getLogger(__name__)
_MODULE = "trimtab_agent.doctor"
_LOOK_S = 0.1
_LONGEST_S = 120.0
_ERROR_LENGTH = 300


class Visits:
    """``measuring``: whether a job runs. A job that begins ends the examination: it goes first."""

    def __init__(self, root: Path, state: Path, measuring: Callable[[], bool]) -> None:
        self._root = root
        self._state = state
        self._measuring = measuring
        self._one_at_a_time = asyncio.Lock()

    async def examination(self) -> Examination:
        """Raises DeviceMeasuring; InternalError where the examination itself fails."""
        async with self._one_at_a_time:
            self._check_free()
            return await self._examine()

    def _check_free(self) -> None:
        if self._measuring():
            raise DeviceMeasuring("a job runs on the device, and examining would disturb it")

    async def _examine(self) -> Examination:
        arguments = (str(os.getpid()), str(self._root), str(self._state))
        process = await ORPHANS.start_leader(
            *(sys.executable, "-m", _MODULE, *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        said = asyncio.ensure_future(process.communicate())
        try:
            await self._wait(said)
            output, errors = said.result()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await asyncio.shield(asyncio.gather(said, return_exceptions=True))
            ORPHANS.forget(process.pid)
        if process.returncode != 0:
            _LOG.error("the examination failed: %s", errors.decode(errors="replace"))
            last = errors.decode(errors="replace").strip().rpartition("\n")[2]
            raise InternalError(f"the examination failed: {last[:_ERROR_LENGTH]}")
        return _parsed(output)

    async def _wait(self, said: asyncio.Future[tuple[bytes, bytes]]) -> None:
        until = time.monotonic() + _LONGEST_S
        while not said.done():
            self._check_free()
            if time.monotonic() > until:
                raise InternalError(f"the examination took longer than {_LONGEST_S:g} s")
            await asyncio.wait({said}, timeout=_LOOK_S)


def _parsed(output: bytes) -> Examination:
    content = json.loads(output)
    return Examination(
        **{name: tuple(Finding(**each) for each in found) for name, found in content.items()}
    )
