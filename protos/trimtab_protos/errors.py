"""The error catalogue: reason -> status code -> exception class -> help text.

::

    TrimtabError
    ├── one class per reason of the catalogue (ArtifactMissing, DigestMismatch, ...)
    └── InternalError            anything the agent did not expect

The agent's interceptor turns these exceptions into a gRPC status whose details carry an
``ErrorInfo`` (reason, domain, metadata); the host turns that back into the same class. Errors of a
running job are not exceptions: they are a :class:`Failure` in the job's result.
"""

from __future__ import annotations

from typing import ClassVar, cast

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from trimtab_protos.failure import FAILURE_CLASSES as FAILURE_CLASSES
from trimtab_protos.failure import Failure as Failure
from trimtab_protos.failure import FailureClass as FailureClass

DOMAIN = "trimtab"
DETAILS_KEY = "grpc-status-details-bin"


class TrimtabError(Exception):
    """An error of the catalogue; ``metadata`` is for programs, the message for people."""

    reason: ClassVar[str] = "INTERNAL"
    code: ClassVar[grpc.StatusCode] = grpc.StatusCode.INTERNAL
    help: ClassVar[str] = "see the agent's log on the device; please report this"

    def __init__(self, message: str, **metadata: str) -> None:
        super().__init__(message)
        self.message = message
        self.metadata = metadata


class InternalError(TrimtabError):
    pass


class DigestInvalid(TrimtabError):
    reason = "DIGEST_INVALID"
    code = grpc.StatusCode.INVALID_ARGUMENT
    help = "a digest is 64 lowercase hex digits of SHA-256 and the size in bytes"


class DigestMismatch(TrimtabError):
    reason = "DIGEST_MISMATCH"
    code = grpc.StatusCode.DATA_LOSS
    help = "the file changed while it was sent, or the line corrupts data: send it again"


class OffsetMismatch(TrimtabError):
    reason = "OFFSET_MISMATCH"
    code = grpc.StatusCode.OUT_OF_RANGE
    help = "ask GetUploadStatus where to go on"


class UploadInvalid(TrimtabError):
    reason = "UPLOAD_INVALID"
    code = grpc.StatusCode.INVALID_ARGUMENT
    help = (
        "the first message names the digest, every message its offset, chunks are within the limit"
    )


class ArtifactTooLarge(TrimtabError):
    reason = "ARTIFACT_TOO_LARGE"
    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    help = "raise the agent's --max-artifact-mb if the device has the room"


class StoreFull(TrimtabError):
    reason = "STORE_FULL"
    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    help = "make room on the device, or give the agent another --state folder"


class DeviceMeasuring(TrimtabError):
    reason = "DEVICE_MEASURING"
    code = grpc.StatusCode.UNAVAILABLE
    help = "the device keeps the wire quiet while it measures: try again in a moment"


class ArtifactMissing(TrimtabError):
    reason = "ARTIFACT_MISSING"
    code = grpc.StatusCode.NOT_FOUND
    help = "upload the artifact before the job that uses it"


class JobArtifactMissing(TrimtabError):
    reason = "JOB_ARTIFACT_MISSING"
    code = grpc.StatusCode.FAILED_PRECONDITION
    help = "upload every file of the job first"


class RuntimeUnavailable(TrimtabError):
    reason = "RUNTIME_UNAVAILABLE"
    code = grpc.StatusCode.FAILED_PRECONDITION
    help = "install the runtime beside the agent, for example: pip install 'trimtab-agent[litert]'"


class SpecInvalid(TrimtabError):
    reason = "SPEC_INVALID"
    code = grpc.StatusCode.INVALID_ARGUMENT
    help = "correct the field that is named"


class QueueFull(TrimtabError):
    reason = "QUEUE_FULL"
    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    help = "wait for queued jobs to end, or cancel some"


class JobUnknown(TrimtabError):
    reason = "JOB_UNKNOWN"
    code = grpc.StatusCode.NOT_FOUND
    help = (
        "the job was never here, or newer ones have its room: its results were fetched, or nobody "
        "fetched them for days"
    )


class JobNotFinished(TrimtabError):
    reason = "JOB_NOT_FINISHED"
    code = grpc.StatusCode.FAILED_PRECONDITION
    help = "watch the job to its end, or cancel it, before acknowledging"


class EventsTrimmed(TrimtabError):
    reason = "EVENTS_TRIMMED"
    code = grpc.StatusCode.OUT_OF_RANGE
    help = "watch from first_sequence on, or take the result from GetJob"


class PageTokenInvalid(TrimtabError):
    reason = "PAGE_TOKEN_INVALID"
    code = grpc.StatusCode.INVALID_ARGUMENT
    help = "use the next_page_token of the previous answer"


class LeaseHeld(TrimtabError):
    reason = "LEASE_HELD"
    code = grpc.StatusCode.FAILED_PRECONDITION
    help = "wait for the holder that is named, or ask them to release the device"


class LeaseExpired(TrimtabError):
    reason = "LEASE_EXPIRED"
    code = grpc.StatusCode.NOT_FOUND
    help = "acquire the lease again"


class NotServed(TrimtabError):
    reason = "NOT_SERVED"
    code = grpc.StatusCode.UNIMPLEMENTED
    help = "a newer agent may serve it: upgrade trimtab-agent on the device"


class RateLimited(TrimtabError):
    reason = "RATE_LIMITED"
    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    help = "ask less often: wait for retry_after_s, then try again"


class RoleInsufficient(TrimtabError):
    reason = "ROLE_INSUFFICIENT"
    code = grpc.StatusCode.PERMISSION_DENIED
    help = "use an operator's identity; a viewer may look, and no more"


class IdentityRefused(TrimtabError):
    reason = "IDENTITY_REFUSED"
    code = grpc.StatusCode.UNAUTHENTICATED
    help = "ask whoever keeps the fleet's authority for an identity that is valid"


class IdentityInvalid(TrimtabError):
    reason = "IDENTITY_INVALID"
    code = grpc.StatusCode.INVALID_ARGUMENT
    help = "make it with this fleet's authority: trimtab fleet rotate, trimtab fleet revoke"


CATALOGUE: dict[str, type[TrimtabError]] = {
    cls.reason: cls
    for cls in (
        InternalError,
        DigestInvalid,
        DigestMismatch,
        OffsetMismatch,
        UploadInvalid,
        ArtifactTooLarge,
        StoreFull,
        DeviceMeasuring,
        ArtifactMissing,
        JobArtifactMissing,
        RuntimeUnavailable,
        SpecInvalid,
        QueueFull,
        JobUnknown,
        JobNotFinished,
        EventsTrimmed,
        PageTokenInvalid,
        LeaseHeld,
        LeaseExpired,
        NotServed,
        RateLimited,
        RoleInsufficient,
        IdentityRefused,
        IdentityInvalid,
    )
}


def error_to_status(error: TrimtabError) -> status_pb2.Status:
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata)
    return _status(error.code, error.message, info)


def status_to_error(status: status_pb2.Status) -> TrimtabError | None:
    """None where the status carries no ErrorInfo of ours (another program's, or a proxy's)."""
    info = _error_info(status)
    if info is None:
        return None
    cls = CATALOGUE.get(info.reason)
    if cls is None:  # a newer agent's reason
        return InternalError(f"{info.reason}: {status.message}", **dict(info.metadata))
    return cls(status.message, **dict(info.metadata))


def failure_to_status(failure: Failure) -> status_pb2.Status:
    info = error_details_pb2.ErrorInfo(
        reason="JOB_FAILED", domain=DOMAIN, metadata={"class": failure.failure_class}
    )
    return _status(grpc.StatusCode.ABORTED, failure.message, info)


def status_to_failure(status: status_pb2.Status) -> Failure:
    """An unknown class, from a newer agent, is read as ``harness``."""
    info = _error_info(status)
    name = info.metadata.get("class", "") if info is not None else ""
    known = name if name in FAILURE_CLASSES else "harness"
    return Failure(cast(FailureClass, known), status.message)


def _status(
    code: grpc.StatusCode, message: str, info: error_details_pb2.ErrorInfo
) -> status_pb2.Status:
    detail = any_pb2.Any()
    detail.Pack(info)
    number = code.value[0]
    return status_pb2.Status(code=number, message=message, details=[detail])


def _error_info(status: status_pb2.Status) -> error_details_pb2.ErrorInfo | None:
    for detail in status.details:
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            info = error_details_pb2.ErrorInfo()
            detail.Unpack(info)
            if info.domain == DOMAIN:
                return info
    return None
