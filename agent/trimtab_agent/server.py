"""The agent's gRPC server: its parts put together, its socket, its end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from trimtab_protos.v1 import (
    artifact_pb2_grpc,
    benchmark_pb2_grpc,
    device_pb2_grpc,
    doctor_pb2_grpc,
    identity_pb2_grpc,
)

from trimtab_agent.artifacts import ArtifactStore
from trimtab_agent.collection import Collector
from trimtab_agent.config import Settings, StateLock
from trimtab_agent.device import boot_id
from trimtab_agent.doctor.visits import Visits
from trimtab_agent.generic_methods import GenericMethods
from trimtab_agent.housekeeping import give_memory_back, memory_given_back
from trimtab_agent.interceptors import ErrorInterceptor
from trimtab_agent.inventory import Inventory
from trimtab_agent.job_queue import JobQueue
from trimtab_agent.job_runner import JobRules, JobRunner
from trimtab_agent.job_store import JobStore
from trimtab_agent.jobs import Jobs
from trimtab_agent.leases import LeaseBook, LeaseDesk
from trimtab_agent.leases.state_file import StateFile
from trimtab_agent.limits import Callers, CallLimits, LimitInterceptor
from trimtab_agent.power.meter import PowerMeter
from trimtab_agent.quiet import Quiet
from trimtab_agent.security.door import Door
from trimtab_agent.security.interceptor import RoleInterceptor
from trimtab_agent.servicers.artifact import ArtifactServicer
from trimtab_agent.servicers.benchmark import BenchmarkServicer
from trimtab_agent.servicers.device import DeviceServicer
from trimtab_agent.servicers.doctor import DoctorServicer
from trimtab_agent.servicers.identity import IdentityServicer
from trimtab_agent.showing import CollectorMaker, shown
from trimtab_agent.status import StatusTeller
from trimtab_agent.telemetry import Telemetry, boot_clock_ns
from trimtab_agent.uploads import Uploads
from trimtab_agent.wire import Wire
from trimtab_agent.worker.isolation.other_user import let_workers_pass
from trimtab_agent.worker.memory_look import kept_limit_bytes

if TYPE_CHECKING:
    from trimtab_agent.metrics import AgentCollector
    from trimtab_agent.security.identity import DeviceIdentity

_LOG = logging.getLogger(__name__)
_SERVICES = (
    "",
    "trimtab.v1.DeviceService",
    "trimtab.v1.ArtifactService",
    "trimtab.v1.BenchmarkService",
    "trimtab.v1.DoctorService",
    "trimtab.v1.IdentityService",
)
_GRACE_S = 2.0
_CHANNEL_OPTIONS = (
    # A chunk is 1 MiB at most; the largest answer is a page of jobs.
    ("grpc.max_receive_message_length", 4 << 20),
    ("grpc.max_send_message_length", 16 << 20),
    # Survive NATs that forget a silent connection after some minutes.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    # What arrives before it is asked for is lost when the line is cut, and takes a small board's
    # memory: less than a piece, whatever the line could carry.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 256 << 10),
    # Of one connection. A call may bring 4 MiB before anybody can refuse it: 100 still leave a
    # board of 1 GB its other half, and a host has a dozen. Whoever exceeds it gets UNAVAILABLE.
    ("grpc.max_concurrent_streams", 100),
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
    leases: LeaseDesk
    status: StatusTeller
    callers: Callers
    visits: Visits
    queue: JobQueue


def build_parts(settings: Settings) -> Parts:
    """Call it with the state folder locked: scratch files of an earlier agent are removed."""
    state = settings.state_dir
    artifacts = ArtifactStore(state / "artifacts")
    store = JobStore(
        state / "jobs",
        artifacts,
        settings.max_kept_jobs,
        settings.max_kept_bytes,
        settings.keep_uncollected_ns,
        boot_clock_ns,
    )
    collector = Collector(
        artifacts, settings.quota_bytes, settings.disk_reserve_bytes, store.needed
    )
    artifacts.make_room = collector.make_room_for_output
    uploads = Uploads(artifacts, settings.max_artifact_bytes, collector)
    quiet = Quiet()
    scratch = state / "scratch"
    rules = JobRules(
        settings.allow_code_in_models,
        state / "caches",
        settings.max_job_ns,
        settings.max_artifact_bytes,
        kept_limit_bytes(settings.max_worker_bytes),
    )
    meter = PowerMeter(settings.root)
    runner = JobRunner(artifacts, scratch, quiet, settings.root, rules, meter)
    inventory = Inventory(scratch, settings.display_name, settings.root)
    kept = StateFile(state / "leases", boot_id(settings.root))
    leases = LeaseDesk(LeaseBook(boot_clock_ns), kept)
    queue = JobQueue(runner, store, settings.max_queued_jobs, leases)
    jobs = Jobs(store, queue, artifacts, inventory, leases, settings.max_job_ns)
    telemetry = Telemetry(settings.root, meter)
    status = StatusTeller(leases, queue, store, artifacts)
    callers = Callers(CallLimits(settings.calls_per_s))
    visits = Visits(settings.root, state, lambda: queue.running is not None)
    return Parts(
        inventory=inventory,
        jobs=jobs,
        artifacts=artifacts,
        uploads=uploads,
        quiet=quiet,
        telemetry=telemetry,
        leases=leases,
        status=status,
        callers=callers,
        visits=visits,
        queue=queue,
    )


async def serve(settings: Settings, on_ready: Callable[[str], None]) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code (0, or 130 for SIGINT).

    ``on_ready`` gets the bound address. Raises ConfigError where it cannot be bound.
    """
    stopped: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    _stop_on_signals(stopped)
    if settings.stop_with_stdin:
        _stop_with_stdin(stopped)
    with StateLock(settings.state_dir):
        let_workers_pass(settings.state_dir)
        async with _running(settings, stopped) as address:
            on_ready(address)
            return await stopped


@asynccontextmanager
async def _running(settings: Settings, stopped: asyncio.Future[int]) -> AsyncIterator[str]:
    parts = build_parts(settings)
    health = await _health()
    door = Door(settings)
    wire = Wire(lambda: _server(parts, health, door.identity), door.inner)
    wire.broken.add_done_callback(lambda broken: _pass_on(broken, stopped))
    try:
        address = door.bind(wire.bind())
        await parts.jobs.start()
        await wire.start()
        door.start()
        parts.inventory.start()
        give_memory_back()  # importing left some
        name = door.identity.own.name if door.identity else ""
        async with (
            memory_given_back(lambda: parts.queue.running is not None),
            shown(settings, address, name, parts.inventory, _collector(parts, door)),
        ):
            yield address
    finally:
        await health.enter_graceful_shutdown()
        await parts.jobs.stop()
        await parts.inventory.stop()
        await wire.stop(_GRACE_S)
        await door.stop()


def _collector(parts: Parts, door: Door) -> CollectorMaker:
    def make(loop: asyncio.AbstractEventLoop) -> AgentCollector:
        from trimtab_agent.metrics import AgentCollector, Counts

        def counts() -> Counts:
            ended = {str(end): count for end, count in parts.queue.ended.items()}
            return Counts(ended, parts.uploads.received_bytes, door.refused)

        return AgentCollector(parts.status, parts.telemetry, counts, loop)

    return make


def _pass_on(broken: asyncio.Future[None], stopped: asyncio.Future[int]) -> None:
    error = None if broken.cancelled() else broken.exception()
    if error is not None and not stopped.done():
        stopped.set_exception(error)


def _server(
    parts: Parts, health: health_aio.HealthServicer, identity: DeviceIdentity | None
) -> grpc.aio.Server:
    interceptors = [ErrorInterceptor(), RoleInterceptor(), LimitInterceptor(parts.callers)]
    server = grpc.aio.server(interceptors=interceptors, options=_CHANNEL_OPTIONS)
    methods: Any = GenericMethods(server)
    device_pb2_grpc.add_DeviceServiceServicer_to_server(
        DeviceServicer(parts.inventory, parts.telemetry, parts.leases, parts.status), methods
    )
    artifact_pb2_grpc.add_ArtifactServiceServicer_to_server(
        ArtifactServicer(parts.artifacts, parts.uploads, parts.quiet, parts.leases), methods
    )
    benchmark_pb2_grpc.add_BenchmarkServiceServicer_to_server(
        BenchmarkServicer(parts.jobs), methods
    )
    doctor_pb2_grpc.add_DoctorServiceServicer_to_server(
        DoctorServicer(parts.visits, parts.inventory), methods
    )
    identity_pb2_grpc.add_IdentityServiceServicer_to_server(IdentityServicer(identity), methods)
    health_pb2_grpc.add_HealthServicer_to_server(health, methods)
    return server


async def _health() -> health_aio.HealthServicer:
    health = health_aio.HealthServicer()
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
