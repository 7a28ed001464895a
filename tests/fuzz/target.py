"""A real agent under fire: every answer is judged, and what it holds is counted."""

from __future__ import annotations

import os
import random
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import psutil
from fuzz.methods import Method
from fuzz.samples import MODEL, digest_of, quick_spec
from google.rpc import status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from trimtab_protos.errors import CATALOGUE, DETAILS_KEY, status_to_error
from trimtab_protos.v1 import (
    artifact_pb2,
    artifact_pb2_grpc,
    benchmark_pb2,
    benchmark_pb2_grpc,
    device_pb2,
    device_pb2_grpc,
)

ANSWER_S = 10.0
_REPLACED_S = 0.5
_GIVEN_BACK_WITHIN_S = 13
# Those that go on until the caller has enough.
_ENDLESS = {"WatchJob": 0.2, "WatchTelemetry": 0.05}
_SLOW = {"Examine": 60.0}
_ENOUGH_MESSAGES = 50
# gRPC writes its own for headers that are no UTF-8.
_TRACEBACK = re.compile(r"^Traceback.*\n(?:[ \t].*\n)+.*$", re.MULTILINE)


def tell(text: object) -> None:
    """Shown by pytest where the test fails, or with -s."""
    print(text)  # noqa: T201


def chosen_seed(default: int | None = None) -> int:
    """TRIMTAB_FUZZ_SEED, or the default, or a new one; printed: a failure can be had again."""
    given = os.environ.get("TRIMTAB_FUZZ_SEED")
    seed = int(given) if given else default
    if seed is None:
        seed = random.SystemRandom().randrange(2**32)
    tell(f"TRIMTAB_FUZZ_SEED={seed}")
    return seed


@dataclass(frozen=True)
class Held:
    """What the agent's process holds: resident memory and open files."""

    memory_bytes: int
    files: int


class Target:
    """Raises AssertionError where an answer is none that the contract knows."""

    def __init__(self, address: str, pid: int, log: Path) -> None:
        self.address = address
        self.answers: Counter[str] = Counter()
        self._process = psutil.Process(pid)
        self._log = log
        options = [("grpc.enable_http_proxy", 0), ("grpc.max_send_message_length", -1)]
        self.channel = grpc.insecure_channel(address, options=options)
        self._health: Any = health_pb2_grpc.HealthStub(self.channel)
        self._jobs: Any = benchmark_pb2_grpc.BenchmarkServiceStub(self.channel)
        self._artifacts: Any = artifact_pb2_grpc.ArtifactServiceStub(self.channel)
        self._device: Any = device_pb2_grpc.DeviceServiceStub(self.channel)

    def prepare(self) -> tuple[str, ...]:
        """Upload the model and have one job done; returns its id."""
        upload = artifact_pb2.UploadArtifactRequest(
            digest=digest_of(MODEL), data=MODEL, finish_write=True
        )
        self._artifacts.UploadArtifact(iter([upload]), timeout=ANSWER_S)
        return (self._finished("the first").job_id,)

    def watch_telemetry(self) -> Any:
        """The call, under way: its first message has come."""
        call = self._device.WatchTelemetry(device_pb2.WatchTelemetryRequest())
        next(call)
        return call

    def end_of_watching(self, watched: Any) -> grpc.StatusCode:
        """How the call ended, once it does. Read to its end: gRPC tells it after the last."""
        try:
            for _ in watched:
                pass
        except grpc.RpcError as error:
            return error.code()
        return grpc.StatusCode.OK

    def run_job(self, request_id: str) -> int:
        """Returns the state it ended in."""
        return int(self._finished(request_id).state)

    def submit(self, request_id: str, spec: Any) -> str:
        request = benchmark_pb2.SubmitJobRequest(request_id=request_id, spec=spec)
        return str(self._jobs.SubmitJob(request, timeout=ANSWER_S).job.job_id)

    def end_of(self, job_id: str, timeout_s: float = 120) -> Any:
        watch = benchmark_pb2.WatchJobRequest(job_id=job_id)
        for _ in self._jobs.WatchJob(watch, timeout=timeout_s):
            pass
        request = benchmark_pb2.GetJobRequest(job_id=job_id)
        job = self._jobs.GetJob(request, timeout=ANSWER_S).job
        self._acknowledge(job_id)  # else the device would soon be full of what nobody fetched
        return job

    def _acknowledge(self, job_id: str) -> None:
        request = benchmark_pb2.AcknowledgeJobRequest(job_id=job_id)
        self._jobs.AcknowledgeJob(request, timeout=ANSWER_S)

    def _finished(self, request_id: str) -> Any:
        return self.end_of(self.submit(request_id, quick_spec(digest_of(MODEL))))

    def send(self, method: Method, payloads: Sequence[bytes]) -> str:
        """Returns the status code's name; the agent must be well afterwards."""
        outcome = self._call(method, payloads)
        self.answers[f"{method.name} {outcome}"] += 1
        if outcome in ("QUEUE_FULL", "LEASE_HELD", "STORE_FULL"):
            self.empty_queue()
        self.check_alive()
        return outcome

    def check_alive(self, attempts: int = 1) -> None:
        """``attempts``: above 1 where gRPC's own server may be replaced just now, which takes a
        while on a busy machine; until then the broken one cancels what it is asked."""
        assert self._process.status() != psutil.STATUS_ZOMBIE, self.log_tail()
        request = health_pb2.HealthCheckRequest()
        for left in reversed(range(attempts)):
            try:
                answer = self._health.Check(request, timeout=ANSWER_S, wait_for_ready=True)
            except grpc.RpcError:
                if not left:
                    raise
                time.sleep(_REPLACED_S)
                continue
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
            return

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def log_tail(self) -> str:
        return self.log()[-4000:]

    def check_log(self) -> None:
        """What an agent did not expect stands there with its traceback."""
        text = self._log.read_text(errors="replace")
        assert "incident" not in text, text[text.index("incident") - 200 :][:4000]
        for block in _TRACEBACK.findall(text):
            assert "trimtab_agent" not in block, block

    def held(self) -> Held:
        """Once no job runs: a job holds something while it lasts."""
        self.empty_queue()
        deadline = time.monotonic() + 30
        while self._process.children() and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(0.5)
        files = self._process.num_fds()
        # The agent gives back what is free every ten seconds.
        least = self._process.memory_info().rss
        for _ in range(_GIVEN_BACK_WITHIN_S):
            time.sleep(1)
            least = min(least, self._process.memory_info().rss)
        return Held(least, files)

    def empty_queue(self) -> None:
        """Jobs that fuzzing made may be asked to run for a day; what came of others is let go."""
        waiting = {benchmark_pb2.Job.STATE_PENDING}
        ended = {
            benchmark_pb2.Job.STATE_SUCCEEDED,
            benchmark_pb2.Job.STATE_FAILED,
            benchmark_pb2.Job.STATE_CANCELLED,
        }
        request = benchmark_pb2.ListJobsRequest(page_size=500)
        jobs = list(self._jobs.ListJobs(request, timeout=ANSWER_S).jobs)
        jobs.sort(key=lambda job: job.state not in waiting)  # those that wait first
        for job in jobs:
            if job.state not in ended:
                cancel = benchmark_pb2.CancelJobRequest(job_id=job.job_id)
                self._jobs.CancelJob(cancel, timeout=ANSWER_S)
            elif not job.acknowledged:
                self._acknowledge(job.job_id)

    def stop(self) -> None:
        """The agent's process too."""
        self.close()
        self._process.terminate()
        self._process.wait(30)

    def close(self) -> None:
        self.channel.close()

    def _call(self, method: Method, payloads: Sequence[bytes]) -> str:
        request: Any = iter(payloads) if method.client_streaming else payloads[0]
        timeout = _ENDLESS.get(method.name) or _SLOW.get(method.name, ANSWER_S)
        try:
            answer: Any = method.on(self.channel)(request, timeout=timeout)
            if method.server_streaming:
                for number, _ in enumerate(answer):
                    if number >= _ENOUGH_MESSAGES and method.name in _ENDLESS:
                        answer.cancel()
                        break
        except grpc.RpcError as error:
            return _judged(error, method)
        return "OK"


def _judged(error: Any, method: Method) -> str:
    """The catalogue's reason, or the code where gRPC itself refused."""
    code, text = error.code(), f"{method.path}: {error.code()}: {error.details()!r}"
    if code == grpc.StatusCode.DEADLINE_EXCEEDED and method.name in _ENDLESS:
        return "STILL_GOING"
    if code == grpc.StatusCode.CANCELLED and method.name in _ENDLESS:
        return "ENOUGH"
    details = dict(error.trailing_metadata() or ()).get(DETAILS_KEY)
    if details is None:
        of_grpc = code == grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in text
        unserved = code == grpc.StatusCode.UNIMPLEMENTED and "Method not found" in text
        assert of_grpc or unserved, f"no reason of the catalogue: {text}"
        return str(code.name)
    known = status_to_error(status_pb2.Status.FromString(details))
    assert known is not None, text
    assert known.reason in CATALOGUE, text
    assert code == known.code, text
    assert code not in (grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL), text
    return known.reason
