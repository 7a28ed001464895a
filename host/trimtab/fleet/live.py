"""A device followed live: its status each second and its telemetry, connected again when lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from trimtab_protos.errors import NotServed, TrimtabError

from trimtab.fleet.client import AgentClient
from trimtab.fleet.dispatch import connected
from trimtab.fleet.errors import DeviceUnreachable, no_answer
from trimtab.fleet.inventory_device import InventoryDevice
from trimtab.fleet.status import DEADLINE_S, DeviceStatus, device_status
from trimtab.fleet.telemetry import moments

PERIOD_S = 1.0
_RECONNECT_S = 2.0
_FIRST_TELEMETRY_S = 3.0


@dataclass(frozen=True)
class Seen:
    """``problem``: why nothing is known of it now, ``advice``: what to do about that.
    ``telemetry``: what the device can tell, by the names of ``WatchTelemetry``."""

    device: str
    status: DeviceStatus | None = None
    telemetry: Mapping[str, float] = field(default_factory=dict)
    problem: str = ""
    advice: str = ""


OnSeen = Callable[[Seen], None]


async def follow(
    device: InventoryDevice, state: Path, on_seen: OnSeen, period_s: float = PERIOD_S
) -> None:
    """Until cancelled. ``state``: the local agent's folder."""
    while True:
        try:
            async with connected(device, state) as client:
                await _Follower(client, on_seen, period_s).run()
        except NotServed:
            older = "an older agent: it does not tell its status"
            on_seen(Seen(device.name, problem=older, advice="upgrade trimtab-agent there"))
        except (DeviceUnreachable, TrimtabError) as error:
            why = no_answer(error)
            on_seen(Seen(device.name, problem=why.reason, advice=why.advice))
        await asyncio.sleep(_RECONNECT_S)


async def look_once(device: InventoryDevice, state: Path) -> Seen:
    """With the first telemetry that comes within three seconds."""
    silent = no_answer(DeviceUnreachable(f"no agent answers within {DEADLINE_S:g} s"))
    last = Seen(device.name, problem=silent.reason, advice=silent.advice)

    def keep(seen: Seen) -> None:
        nonlocal last
        last = seen
        if seen.problem or (seen.status is not None and seen.telemetry):
            enough.set()

    enough = asyncio.Event()
    following = asyncio.ensure_future(follow(device, state, keep))
    try:
        limit_s = DEADLINE_S + (_FIRST_TELEMETRY_S if not device.is_local else 30.0)
        await asyncio.wait_for(enough.wait(), limit_s)
    except TimeoutError:
        pass
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    return last


class _Follower:
    def __init__(self, client: AgentClient, on_seen: OnSeen, period_s: float) -> None:
        self._client = client
        self._on_seen = on_seen
        self._period_s = period_s
        self._seen = Seen(client.device)

    async def run(self) -> None:
        """Raises what the first of the two raises."""
        asking = [asyncio.ensure_future(work) for work in (self._status(), self._telemetry())]
        try:
            done, _ = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)

    async def _status(self) -> None:
        while True:
            # What is seen is read after the answer: telemetry comes while it is waited for.
            status = await device_status(self._client)
            self._tell(replace(self._seen, status=status))
            await asyncio.sleep(self._period_s)

    async def _telemetry(self) -> None:
        async for told in moments(self._client, self._period_s):
            self._tell(replace(self._seen, telemetry=told))

    def _tell(self, seen: Seen) -> None:
        self._seen = seen
        self._on_seen(seen)
