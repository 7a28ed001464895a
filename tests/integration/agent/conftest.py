"""A client as thin as can be: the generated stubs and what every test needs of them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import status_pb2
from trimtab.fleet.identity.authority import Authority, open_authority
from trimtab.fleet.identity.bundle import write_private
from trimtab.fleet.identity.folder import FleetFolder
from trimtab_protos.digest import digest_bytes
from trimtab_protos.errors import DETAILS_KEY, TrimtabError, status_to_error
from trimtab_protos.v1 import (
    artifact_pb2,
    artifact_pb2_grpc,
    benchmark_pb2,
    benchmark_pb2_grpc,
    device_pb2,
    device_pb2_grpc,
)

_CHUNK = 1 << 20
_TIMEOUT_S = 60.0
_WATCH_TIMEOUT_S = 300.0


class AgentClient:
    def __init__(self, address: str) -> None:
        self.channel = grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)])
        self.device: Any = device_pb2_grpc.DeviceServiceStub(self.channel)
        self.artifacts: Any = artifact_pb2_grpc.ArtifactServiceStub(self.channel)
        self.benchmark: Any = benchmark_pb2_grpc.BenchmarkServiceStub(self.channel)

    def info(self) -> Any:
        request = device_pb2.GetDeviceInfoRequest()
        return self.device.GetDeviceInfo(request, timeout=_TIMEOUT_S).device_info

    def upload(self, data: bytes) -> Any:
        """Returns the digest as protobuf."""
        digest = digest_bytes(data)
        message = artifact_pb2.Digest(sha256=digest.sha256, size_bytes=digest.size_bytes)
        pieces = [data[start : start + _CHUNK] for start in range(0, len(data), _CHUNK)] or [b""]
        requests = [
            artifact_pb2.UploadArtifactRequest(write_offset=index * _CHUNK, data=piece)
            for index, piece in enumerate(pieces)
        ]
        requests[0].digest.CopyFrom(message)
        requests[-1].finish_write = True
        self.artifacts.UploadArtifact(iter(requests), timeout=_TIMEOUT_S)
        return message

    def download(self, digest: Any, offset: int = 0) -> bytes:
        request = artifact_pb2.DownloadArtifactRequest(digest=digest, read_offset=offset)
        answers = self.artifacts.DownloadArtifact(request, timeout=_TIMEOUT_S)
        return b"".join(answer.data for answer in answers)

    def submit(self, spec: Any, request_id: str = "") -> str:
        request = benchmark_pb2.SubmitJobRequest(
            request_id=request_id or uuid.uuid4().hex, spec=spec
        )
        job_id: str = self.benchmark.SubmitJob(request, timeout=_TIMEOUT_S).job.job_id
        return job_id

    def watch(self, job_id: str, after: int = 0) -> Iterator[Any]:
        request = benchmark_pb2.WatchJobRequest(job_id=job_id, after_sequence=after)
        for answer in self.benchmark.WatchJob(request, timeout=_WATCH_TIMEOUT_S):
            yield answer.event

    def finished(self, job_id: str) -> Any:
        """The job once it has ended."""
        *_, last = self.watch(job_id)
        assert last.WhichOneof("kind") == "job_finished"
        return self.job(job_id)

    def job(self, job_id: str) -> Any:
        request = benchmark_pb2.GetJobRequest(job_id=job_id)
        return self.benchmark.GetJob(request, timeout=_TIMEOUT_S).job

    def cancel(self, job_id: str) -> Any:
        request = benchmark_pb2.CancelJobRequest(job_id=job_id)
        return self.benchmark.CancelJob(request, timeout=_TIMEOUT_S).job


@pytest.fixture
def connect() -> Iterator[Callable[[str], AgentClient]]:
    clients: list[AgentClient] = []

    def make(address: str) -> AgentClient:
        clients.append(AgentClient(address))
        return clients[-1]

    yield make
    for client in clients:
        client.channel.close()


@pytest.fixture
def client(start_agent: Any, connect: Callable[[str], AgentClient]) -> AgentClient:
    """Connected to a fresh agent."""
    return connect(start_agent().address)


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """Of a fleet whose host this is."""
    monkeypatch.setenv("TRIMTAB_HOME", str(tmp_path / "home"))
    return open_authority(FleetFolder(tmp_path / "home" / "fleet"))


@pytest.fixture
def pi5_identity(authority: Authority, tmp_path: Path) -> str:
    """The file for an agent that is to be called pi5 in that fleet."""
    bundle = tmp_path / "pi5.identity"
    write_private(bundle, authority.issue("device", "pi5").pem())
    return str(bundle)


@pytest.fixture
def error_of() -> Callable[[Callable[[], object]], TrimtabError]:
    """Make a call that must fail, and give the catalogue's error that the status carries."""

    def call(action: Callable[[], object]) -> TrimtabError:
        with pytest.raises(grpc.RpcError) as caught:
            action()
        metadata: Any = caught.value.trailing_metadata()
        details = dict(metadata)[DETAILS_KEY]
        error = status_to_error(status_pb2.Status.FromString(details))
        assert error is not None
        return error

    return call


@pytest.fixture
def make_spec() -> Callable[..., Any]:
    """``make_spec({name: (digest, file name)}, runtime=..., ...)``: a quick job, real settings."""

    def make(
        models: dict[str, tuple[Any, str]],
        runtime: str = "onnxruntime",
        model_format: str = "onnx",
        repeats: int = 2,
        min_duration_s: float = 0.05,
        min_samples: int = 20,
    ) -> Any:
        spec = benchmark_pb2.BenchmarkSpec(
            round_robin=benchmark_pb2.RoundRobin(repeat_count=repeats),
            single_stream=benchmark_pb2.SingleStream(),
        )
        for name, (digest, file_name) in models.items():
            arm = spec.arms.add(
                name=name,
                runtime=runtime,
                accelerator="cpu",
                thread_count=1,
                format=model_format,
            )
            arm.files.add(name=file_name, digest=digest)
        policy = spec.policy
        policy.min_duration.FromMilliseconds(int(min_duration_s * 1000))
        policy.max_duration.FromMilliseconds(int(min_duration_s * 1000) + 10_000)
        policy.warmup_duration.FromMilliseconds(20)
        policy.process_timeout.FromSeconds(60)
        policy.min_sample_count = min_samples
        policy.min_warmup_count = 2
        return spec

    return make


@pytest.fixture
def mnist(shared_data: Path) -> bytes:
    return (shared_data / "models" / "mnist.onnx").read_bytes()
