"""What of the agent is told beside its wire: figures for Prometheus, its presence by mDNS."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from trimtab_agent.config import ConfigError, NetworkAddress, Settings
from trimtab_agent.inventory import Inventory

if TYPE_CHECKING:
    from trimtab_agent.metrics import AgentCollector

_LOG = logging.getLogger(__name__)


@asynccontextmanager
async def shown(
    settings: Settings, address: str, name: str, inventory: Inventory, collector: CollectorMaker
) -> AsyncIterator[None]:
    """``address``: where the agent serves; ``name``: its identity's. Raises ConfigError."""
    async with _metrics(settings, collector), _presence(settings, address, name, inventory):
        yield


@asynccontextmanager
async def _metrics(settings: Settings, collector: CollectorMaker) -> AsyncIterator[None]:
    if settings.metrics is None:
        yield
        return
    from trimtab_agent.metrics import MetricsServer

    server = MetricsServer(settings.metrics, collector(asyncio.get_running_loop()))
    _LOG.info("metrics at http://%s:%d/metrics", settings.metrics.host, server.port)
    try:
        yield
    finally:
        await asyncio.to_thread(server.stop)


@asynccontextmanager
async def _presence(
    settings: Settings, address: str, name: str, inventory: Inventory
) -> AsyncIterator[None]:
    if not settings.announce:
        yield
        return
    if not isinstance(settings.listen, NetworkAddress):
        raise ConfigError("--announce: it listens on this machine alone; give --identity too")
    from trimtab_agent.announce import Announcer

    host, _, port = address.rpartition(":")
    info = await inventory.device()
    announcer = Announcer(name, host, int(port), info.device_id)
    await announcer.start()
    try:
        yield
    finally:
        await announcer.stop()


CollectorMaker = Callable[[asyncio.AbstractEventLoop], "AgentCollector"]
