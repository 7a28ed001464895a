"""What is right: the requests that the fuzzers change, and names that a real agent knows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trimtab_protos.v1 import artifact_pb2, benchmark_pb2, device_pb2

MODEL = b"anything: the null runtime reads no file"


@dataclass(frozen=True)
class Sample:
    """``requests``: by the message's name. ``texts``: what a field may hold to be understood."""

    requests: Mapping[str, tuple[Any, ...]]
    texts: tuple[str, ...]


def digest_of(data: bytes) -> Any:
    return artifact_pb2.Digest(sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data))


def quick_spec(digest: Any, arm_count: int = 1) -> Any:
    """A job of the null runtime that is over in a tenth of a second or so."""
    spec = benchmark_pb2.BenchmarkSpec()
    spec.round_robin.repeat_count = 1
    spec.single_stream.SetInParent()
    for number in range(arm_count):
        arm = spec.arms.add(name=f"arm-{number}", runtime="null", accelerator="cpu")
        arm.thread_count, arm.format = 1, "null"
        arm.files.add(name="model.null", digest=digest)
    policy = spec.policy
    policy.min_duration.FromMilliseconds(1)
    policy.max_duration.FromMilliseconds(50)
    policy.warmup_duration.FromMilliseconds(1)
    policy.process_timeout.FromSeconds(20)
    policy.min_sample_count = policy.min_warmup_count = 1
    return spec


def sample_of(job_ids: tuple[str, ...]) -> Sample:
    digest = digest_of(MODEL)
    by_job = (
        benchmark_pb2.GetJobRequest,
        benchmark_pb2.WatchJobRequest,
        benchmark_pb2.CancelJobRequest,
        benchmark_pb2.AcknowledgeJobRequest,
    )
    requests: dict[str, tuple[Any, ...]] = {
        kind.__name__: tuple(kind(job_id=each) for each in job_ids) for kind in by_job
    }
    requests |= {
        "SubmitJobRequest": _submissions(digest),
        "ListJobsRequest": (benchmark_pb2.ListJobsRequest(page_size=5, page_token=job_ids[0]),),
        "FindMissingArtifactsRequest": (
            artifact_pb2.FindMissingArtifactsRequest(digests=[digest, digest_of(b"other")]),
        ),
        "GetUploadStatusRequest": (artifact_pb2.GetUploadStatusRequest(digest=digest),),
        "DownloadArtifactRequest": (artifact_pb2.DownloadArtifactRequest(digest=digest),),
        "AcquireLeaseRequest": (_acquisition(),),
        "RenewLeaseRequest": (device_pb2.RenewLeaseRequest(lease_id="lease"),),
        "WatchTelemetryRequest": (device_pb2.WatchTelemetryRequest(sensors=["cpu_busy"]),),
    }
    texts = (digest.sha256, *job_ids, "null", "onnxruntime", "cpu", "rounds", "5", "request")
    return Sample(requests, texts)


def _submissions(digest: Any) -> tuple[Any, ...]:
    plain = benchmark_pb2.SubmitJobRequest(request_id="request", spec=quick_spec(digest))
    several = benchmark_pb2.SubmitJobRequest(request_id="several", spec=quick_spec(digest, 2))
    several.spec.evaluation.inputs.CopyFrom(digest)
    several.spec.evaluation.reduction = benchmark_pb2.Evaluation.REDUCTION_NONE
    several.spec.arms[0].input_shapes.add(name="input", dimensions=[1, 1])
    several.spec.arms[1].runtime_options["rounds"] = "5"
    in_turns = benchmark_pb2.SubmitJobRequest(request_id="turns", spec=quick_spec(digest, 2))
    schedule = in_turns.spec.interleaved
    schedule.repeat_count = schedule.blocks_per_repeat = 1
    schedule.block_duration.FromMilliseconds(1)
    check = benchmark_pb2.SubmitJobRequest(request_id="check", spec=quick_spec(digest))
    check.spec.support_check.SetInParent()
    paced = benchmark_pb2.SubmitJobRequest(request_id="paced", spec=quick_spec(digest))
    paced.spec.periodic.rate_hz = 1000
    return plain, several, in_turns, check, paced


def _acquisition() -> Any:
    request = device_pb2.AcquireLeaseRequest(request_id="request", holder="fuzzer")
    request.ttl.FromSeconds(1)
    return request
