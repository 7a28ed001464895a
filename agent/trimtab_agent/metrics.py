"""The agent's figures for Prometheus; its library is loaded only where they are asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trimtab_agent.config import ConfigError, LoopbackAddress
from trimtab_agent.status import DeviceStatus, StatusTeller
from trimtab_agent.telemetry import Telemetry

_ANSWER_S = 5.0
_ENDS = ("succeeded", "failed", "cancelled")


@dataclass(frozen=True)
class Counts:
    """``jobs_ended`` by state, ``received_bytes`` of uploads, ``refused`` connections: since the
    agent started. ``refused`` None: it serves in the clear and refuses nobody."""

    jobs_ended: Mapping[str, int]
    received_bytes: int
    refused: int | None


class AgentCollector:
    """Asked in the library's own threads; the answers come from the agent's loop."""

    def __init__(
        self,
        status: StatusTeller,
        telemetry: Telemetry,
        counts: Callable[[], Counts],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._status = status
        self._telemetry = telemetry
        self._counts = counts
        self._loop = loop

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        asked = asyncio.run_coroutine_threadsafe(self._status.status(), self._loop)
        status, counts = asked.result(_ANSWER_S), self._counts()
        ended = CounterMetricFamily(
            "trimtab_jobs_ended", "Jobs by how they ended, since the agent started.", labels=["end"]
        )
        for end in _ENDS:
            ended.add_metric([end], counts.jobs_ended.get(end, 0))
        yield ended
        what = "Bytes of artifacts that hosts sent, of uploads that have ended."
        yield CounterMetricFamily("trimtab_upload_bytes", what, value=counts.received_bytes)
        if counts.refused is not None:
            what = "Connections refused at the front, since the agent started."
            yield CounterMetricFamily("trimtab_connections_refused", what, value=counts.refused)
        for name, what, value in (*_of_status(status), *self._of_device()):
            yield GaugeMetricFamily(f"trimtab_{name}", what, value=value)

    def _of_device(self) -> Iterator[tuple[str, str, float]]:
        """What the device cannot tell is left out."""
        told = self._telemetry.values()
        for name, what in (
            ("power_w", "What the device draws in watts, as the running job's sensors saw last."),
            ("temperature_c", "The hottest zone, in degrees Celsius."),
        ):
            value = told.get(name)
            if value is not None:
                yield name, what, value


def _of_status(status: DeviceStatus) -> Iterator[tuple[str, str, float]]:
    running = sum(1 for job in status.jobs if job.running_ns)
    yield "job_running", "Whether a job runs: 1 or 0.", running
    yield "jobs_queued", "Jobs that wait.", len(status.jobs) - running
    yield "lease_held", "Whether a host holds the device: 1 or 0.", status.lease_holder is not None
    yield "lease_waiting", "Hosts that wait for the lease.", len(status.waiting_holders)
    what = "Jobs with results that nobody has fetched yet."
    yield "results_waiting", what, status.unacknowledged_job_count
    yield "artifact_bytes", "Bytes of artifacts kept.", status.artifact_bytes
    yield "disk_free_bytes", "Free where artifacts are kept.", status.disk_free_bytes
    yield "agent_memory_bytes", "Resident memory of the agent.", status.agent_memory_bytes
    yield "agent_open_files", "Open files of the agent.", status.agent_open_files
    yield "agent_uptime_seconds", "Since the agent started.", status.agent_uptime_ns / 1e9


class MetricsServer:
    """Over HTTP, in the clear, to whoever asks at the address."""

    def __init__(self, address: LoopbackAddress, collector: AgentCollector) -> None:
        """Raises ConfigError where the library is missing or the address cannot be bound."""
        try:
            from prometheus_client import start_http_server
            from prometheus_client.registry import CollectorRegistry
        except ImportError as error:
            raise ConfigError(
                "--metrics-port needs prometheus_client: pip install 'trimtab-agent[prometheus]'"
            ) from error
        registry = CollectorRegistry()
        registry.register(collector)
        try:
            self._server, self._thread = start_http_server(
                address.port, address.host.strip("[]"), registry
            )
        except OSError as error:
            raise ConfigError(
                f"cannot serve metrics on {address}: {error.strerror or error}; "
                "choose another --metrics-port"
            ) from error
        self.port: int = self._server.server_port

    def stop(self) -> None:
        """Not on the agent's loop: a scrape under way asks it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
