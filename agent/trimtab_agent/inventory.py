"""What the device is and which runtimes it has; runtimes are asked once in an agent's life."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from trimtab_protos.errors import InternalError

from trimtab_agent.bounded import NoAnswer, within
from trimtab_agent.device import describe_device
from trimtab_agent.housekeeping import give_memory_back
from trimtab_agent.records import DeviceInfo, RuntimeInfo
from trimtab_agent.worker.discovery import describe_runtimes

_ROOT = Path("/")
_ANSWER_S = 8.0
_HANGS = f"a driver on the device hangs: describing it took over {_ANSWER_S:g} s"


class Inventory:
    """``display_name`` empty: the device's own. ``root``: of sys and proc."""

    def __init__(self, scratch: Path, display_name: str, root: Path = _ROOT) -> None:
        self._root = root
        self._scratch = scratch
        self._display_name = display_name
        self._last: DeviceInfo | None = None
        self._described: asyncio.Task[tuple[RuntimeInfo, ...]] | None = None

    def start(self) -> None:
        """Begin to ask the runtimes, in workers."""
        self._described = asyncio.create_task(describe_runtimes(self._scratch))

    async def stop(self) -> None:
        if self._described is not None:
            self._described.cancel()
            await asyncio.gather(self._described, return_exceptions=True)

    async def runtimes(self) -> tuple[RuntimeInfo, ...]:
        """Waits for the answer; a caller that gives up does not end the asking."""
        if self._described is None:
            self.start()
        assert self._described is not None  # noqa: S101 - started above
        return await asyncio.shield(self._described)

    async def device(self) -> DeviceInfo:
        """As it was last seen where a driver hangs meanwhile. Raises InternalError."""
        runtimes = await self.runtimes()
        try:
            info = await within(_ANSWER_S, describe_device, self._root, runtimes)
        except NoAnswer:
            if self._last is None:
                raise InternalError(_HANGS) from None
            info = self._last
        self._last = info
        give_memory_back()  # finding out what there is left some
        return replace(info, display_name=self._display_name or info.display_name)
