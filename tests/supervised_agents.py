"""Real agents for tests, started anew where they were killed, as a supervisor on a board would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from trimtab_protos.v1 import benchmark_pb2, benchmark_pb2_grpc, device_pb2, device_pb2_grpc

_START_S = 90.0


class SupervisedAgent:
    """``arguments``: more of ``trimtab-agent serve``."""

    def __init__(self, folder: Path, name: str, arguments: tuple[str, ...] = ()) -> None:
        self.name = name
        self.state = folder / f"state-{name}"
        self.log = folder / f"{name}.log"
        self._socket = Path(tempfile.mkdtemp(prefix="tt-")) / f"{name}.sock"
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"unix:{self._socket}"

    def reached_at(self, place: str) -> str:
        """What a host is told whose way to it begins at ``place``."""
        return place

    def open_channel(self) -> grpc.Channel:
        return grpc.insecure_channel(self.address)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Returns when it answers."""
        command = [sys.executable, "-m", "trimtab_agent", "serve", "--listen", self.address]
        command += ["--state", str(self.state), *self._arguments]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_until(self._answers, _START_S)

    def _answers(self) -> bool:
        with self.open_channel() as channel:
            try:
                grpc.channel_ready_future(channel).result(1)
            except grpc.FutureTimeoutError:
                return False
        return True

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            if number in (signal.SIGKILL, signal.SIGTERM):
                self._process.wait(_START_S)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGCONT)
            self.kill(signal.SIGTERM)
        self._socket.unlink(missing_ok=True)
        self._socket.parent.rmdir()

    def jobs(self) -> list[Any]:
        """The oldest first, each with its result."""
        with self.open_channel() as channel:
            stub: Any = benchmark_pb2_grpc.BenchmarkServiceStub(channel)
            listed = stub.ListJobs(benchmark_pb2.ListJobsRequest(page_size=500), timeout=20).jobs
            return [
                stub.GetJob(benchmark_pb2.GetJobRequest(job_id=job.job_id), timeout=20).job
                for job in reversed(listed)
            ]

    def status(self) -> Any:
        """Who holds it, who waits, what it does."""
        with self.open_channel() as channel:
            stub: Any = device_pb2_grpc.DeviceServiceStub(channel)
            return stub.GetDeviceStatus(device_pb2.GetDeviceStatusRequest(), timeout=20).status

    def finished_arms(self) -> list[str]:
        """Names of arms that were measured without a failure, as often as they were."""
        return [
            arm.arm for job in self.jobs() for arm in job.result.arms if not arm.HasField("error")
        ]


@contextmanager
def running_agents(
    folder: Path, count: int, arguments: tuple[str, ...] = ()
) -> Iterator[list[SupervisedAgent]]:
    agents = [SupervisedAgent(folder, f"b{number}", arguments) for number in range(1, count + 1)]
    try:
        for agent in agents:
            agent.start()
        yield agents
    finally:
        for agent in agents:
            agent.stop()


def wait_until(condition: Any, timeout_s: float = 120.0) -> None:
    """Raises AssertionError where it does not become true."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
