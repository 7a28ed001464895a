"""The agent's gRPC server: its parts put together, its socket, its end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from trimtab_protos.v1 import artifact_pb2_grpc, benchmark_pb2_grpc, device_pb2_grpc

from trimtab_agent.artifacts import ArtifactStore
from trimtab_agent.collection import Collector
from trimtab_agent.config import (
    MEGABYTE,
    Settings,
    StateLock,
)
from trimtab_agent.housekeeping import give_memory_back
from trimtab_agent.interceptors import ErrorInterceptor
from trimtab_agent.inventory import Inventory
from trimtab_agent.job_queue import JobQueue
from trimtab_agent.job_runner import JobRunner
from trimtab_agent.job_store import JobStore
from trimtab_agent.jobs import Jobs
from trimtab_agent.listening import bound
from trimtab_agent.power.meter import PowerMeter
from trimtab_agent.quiet import Quiet
from trimtab_agent.servicers.artifact import ArtifactServicer
from trimtab_agent.servicers.benchmark import BenchmarkServicer
from trimtab_agent.servicers.device import DeviceServicer
from trimtab_agent.telemetry import Telemetry
from trimtab_agent.uploads import Uploads

_LOG = logging.getLogger(__name__)
_SERVICES = (
    "",
    "trimtab.v1.DeviceService",
    "trimtab.v1.ArtifactService",
    "trimtab.v1.BenchmarkService",
)
_GRACE_S = 2.0
_MAX_KEPT_BYTES = 1000 * MEGABYTE
_CHANNEL_OPTIONS = (
    # A chunk is 1 MiB at most; the largest answer is a page of jobs.
    ("grpc.max_receive_message_length", 4 << 20),
    ("grpc.max_send_message_length", 16 << 20),
    # Survive NATs that forget a silent connection after some minutes.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    # Two agents on one port would share the connections between them.
    ("grpc.so_reuseport", 0),
)


@dataclass(frozen=True)
class Parts:
    """The agent without its wire."""

    inventory: Inventory
    jobs: Jobs
    artifacts: ArtifactStore
    uploads: Uploads
    quiet: Quiet
    telemetry: Telemetry


def build_parts(settings: Settings) -> Parts:
    """Call it with the state folder locked: scratch files of an earlier agent are removed."""
    state = settings.state_dir
    artifacts = ArtifactStore(state / "artifacts")
    store = JobStore(state / "jobs", artifacts, settings.max_kept_jobs, _MAX_KEPT_BYTES)
    collector = Collector(
        artifacts, settings.quota_bytes, settings.disk_reserve_bytes, store.needed
    )
    uploads = Uploads(artifacts, settings.max_artifact_bytes, collector)
    quiet = Quiet()
    scratch = state / "scratch"
    allowed, caches = settings.allow_code_in_models, state / "caches"
    meter = PowerMeter(settings.root)
    runner = JobRunner(artifacts, scratch, quiet, settings.root, allowed, caches, meter)
    inventory = Inventory(scratch, settings.display_name, settings.root)
    queue = JobQueue(runner, store, settings.max_queued_jobs)
    jobs = Jobs(store, queue, artifacts, inventory)
    telemetry = Telemetry(settings.root, meter)
    return Parts(inventory, jobs, artifacts, uploads, quiet, telemetry)


async def serve(settings: Settings, on_ready: Callable[[str], None]) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code (0, or 130 for SIGINT).

    ``on_ready`` gets the bound address. Raises ConfigError where it cannot be bound.
    """
    stopped: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    _stop_on_signals(stopped)
    if settings.stop_with_stdin:
        _stop_with_stdin(stopped)
    with StateLock(settings.state_dir):
        async with _running(settings) as address:
            on_ready(address)
            return await stopped


@asynccontextmanager
async def _running(settings: Settings) -> AsyncIterator[str]:
    parts = build_parts(settings)
    server = grpc.aio.server(interceptors=[ErrorInterceptor()], options=_CHANNEL_OPTIONS)
    health = await _add_services(server, parts)
    with bound(server, settings.listen) as address:
        await parts.jobs.start()
        await server.start()
        parts.inventory.start()
        give_memory_back()  # importing left some
        try:
            yield address
        finally:
            await health.enter_graceful_shutdown()
            await parts.jobs.stop()
            await parts.inventory.stop()
            await server.stop(_GRACE_S)


async def _add_services(server: grpc.aio.Server, parts: Parts) -> health_aio.HealthServicer:
    device_pb2_grpc.add_DeviceServiceServicer_to_server(
        DeviceServicer(parts.inventory, parts.telemetry), server
    )
    artifact_pb2_grpc.add_ArtifactServiceServicer_to_server(
        ArtifactServicer(parts.artifacts, parts.uploads, parts.quiet), server
    )
    benchmark_pb2_grpc.add_BenchmarkServiceServicer_to_server(BenchmarkServicer(parts.jobs), server)
    health = health_aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    for service in _SERVICES:
        await health.set(service, health_pb2.HealthCheckResponse.SERVING)
    return health


def _stop_on_signals(stopped: asyncio.Future[int]) -> None:
    def stop(code: int) -> None:
        if not stopped.done():
            stopped.set_result(code)

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop, 0)
    loop.add_signal_handler(signal.SIGINT, stop, 130)


def _stop_with_stdin(stopped: asyncio.Future[int]) -> None:
    """Whoever started the agent holds the other end: it closes when they are gone, however."""
    loop = asyncio.get_running_loop()
    stdin = 0

    def read() -> None:
        if os.read(stdin, 4096):
            return
        loop.remove_reader(stdin)
        if not stopped.done():
            stopped.set_result(0)

    loop.add_reader(stdin, read)
