"""Real agents, each a process with a state folder and a Unix socket of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import psutil
from trimtab_protos.v1 import benchmark_pb2, benchmark_pb2_grpc, device_pb2, device_pb2_grpc

_ANSWER_S = 120.0
_STOP_S = 30.0
_PAGE = 500


@dataclass(frozen=True)
class FleetAgent:
    """``address`` is what gRPC takes."""

    name: str
    address: str
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        return self.process.pid

    def memory_bytes(self) -> int:
        return int(psutil.Process(self.pid).memory_info().rss)

    def open_files(self) -> int:
        return psutil.Process(self.pid).num_fds()

    def jobs(self) -> list[benchmark_pb2.Job]:
        """All that the agent keeps, the newest first; without samples."""
        found: list[benchmark_pb2.Job] = []
        with _channel(self.address) as channel:
            stub = benchmark_pb2_grpc.BenchmarkServiceStub(channel)
            token = ""
            while True:
                request = benchmark_pb2.ListJobsRequest(page_size=_PAGE, page_token=token)
                page = stub.ListJobs(request, timeout=_ANSWER_S)
                found.extend(page.jobs)
                token = page.next_page_token
                if not token:
                    return found

    def raw_events(self, job_id: str) -> list[bytes]:
        """The job's events as they come over the wire."""
        with _channel(self.address) as channel:
            watch = channel.unary_stream(
                "/trimtab.v1.BenchmarkService/WatchJob",
                request_serializer=benchmark_pb2.WatchJobRequest.SerializeToString,
                response_deserializer=bytes,
            )
            return list(watch(benchmark_pb2.WatchJobRequest(job_id=job_id), timeout=_ANSWER_S))


class AgentFleet:
    """Grows in batches: an agent that starts asks every runtime what it is, which takes a processor
    some two seconds."""

    def __init__(self, folder: Path) -> None:
        self.agents: list[FleetAgent] = []
        self._folder = folder
        self._batch = 2 * (os.cpu_count() or 1)

    def grow(self, count: int) -> list[FleetAgent]:
        """The first ``count`` agents; those that are missing are started and asked what they are.

        Raises RuntimeError where one does not come up, with its last words.
        """
        while len(self.agents) < count:
            numbers = range(len(self.agents), min(count, len(self.agents) + self._batch))
            started = [self._start(number) for number in numbers]
            self.agents += started
            for agent in started:
                self._wait_for(agent)
        return self.agents[:count]

    def stop(self) -> None:
        for agent in self.agents:
            agent.process.terminate()
        deadline = time.monotonic() + _STOP_S
        for agent in self.agents:
            try:
                agent.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                agent.process.kill()
                agent.process.wait()
            if agent.process.stdin is not None:
                agent.process.stdin.close()

    def _start(self, number: int) -> FleetAgent:
        name = f"agent-{number:03d}"
        address = f"unix:{self._folder / f'{number}.sock'}"
        command = [sys.executable, "-m", "trimtab_agent", "serve", "--listen", address]
        command += ["--state", str(self._folder / name), "--name", name, "--stop-with-stdin"]
        with self._log(name).open("wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log)
        return FleetAgent(name, address, process)

    def _wait_for(self, agent: FleetAgent) -> None:
        socket = Path(agent.address.removeprefix("unix:"))
        deadline = time.monotonic() + _ANSWER_S
        while not socket.exists():
            if agent.process.poll() is not None or time.monotonic() > deadline:
                words = self._log(agent.name).read_text(errors="replace")[-500:]
                raise RuntimeError(f"{agent.name} did not start: {words}")
            time.sleep(0.02)
        with _channel(agent.address) as channel:
            stub = device_pb2_grpc.DeviceServiceStub(channel)
            request = device_pb2.GetDeviceInfoRequest()
            # The socket is there a moment before it listens.
            stub.GetDeviceInfo(request, timeout=_ANSWER_S, wait_for_ready=True)

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"


@contextmanager
def running_fleet() -> Iterator[AgentFleet]:
    """An empty fleet; its agents end, and their folders go, on leaving."""
    # A short path: binding a Unix socket fails above about 100 bytes.
    folder = Path(tempfile.mkdtemp(prefix="ttf-"))
    fleet = AgentFleet(folder)
    try:
        yield fleet
    finally:
        fleet.stop()
        shutil.rmtree(folder, ignore_errors=True)


def total_memory(agents: Sequence[FleetAgent]) -> int:
    return sum(agent.memory_bytes() for agent in agents)


def _channel(address: str) -> grpc.Channel:
    return grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)])
