"""Which role each method needs. A viewer may look; whatever is not listed is an operator's."""

from __future__ import annotations

from trimtab_agent.security.peer import OPERATOR, VIEWER

_DEVICE = "/trimtab.v1.DeviceService/"
_ARTIFACT = "/trimtab.v1.ArtifactService/"
_BENCHMARK = "/trimtab.v1.BenchmarkService/"
_DOCTOR = "/trimtab.v1.DoctorService/"
_IDENTITY = "/trimtab.v1.IdentityService/"
_HEALTH = "/grpc.health.v1.Health/"

ROLE_OF_METHOD = {
    f"{_DEVICE}GetDeviceInfo": VIEWER,
    f"{_DEVICE}GetDeviceStatus": VIEWER,
    f"{_DEVICE}WatchTelemetry": VIEWER,
    f"{_DEVICE}AcquireLease": OPERATOR,
    f"{_DEVICE}RenewLease": OPERATOR,
    f"{_DEVICE}ReleaseLease": OPERATOR,
    f"{_ARTIFACT}FindMissingArtifacts": OPERATOR,
    f"{_ARTIFACT}GetUploadStatus": OPERATOR,
    f"{_ARTIFACT}UploadArtifact": OPERATOR,
    # Models are somebody's property: looking at a fleet is no right to take them along.
    f"{_ARTIFACT}DownloadArtifact": OPERATOR,
    f"{_BENCHMARK}ListJobs": VIEWER,
    f"{_BENCHMARK}GetJob": VIEWER,
    f"{_BENCHMARK}WatchJob": VIEWER,
    f"{_BENCHMARK}SubmitJob": OPERATOR,
    f"{_BENCHMARK}CancelJob": OPERATOR,
    f"{_BENCHMARK}AcknowledgeJob": OPERATOR,
    # It loads the device for some seconds and would disturb a job.
    f"{_DOCTOR}Examine": OPERATOR,
    f"{_IDENTITY}GetIdentity": OPERATOR,
    f"{_IDENTITY}InstallIdentity": OPERATOR,
    f"{_IDENTITY}UpdateRevocations": OPERATOR,
    f"{_HEALTH}Check": VIEWER,
    f"{_HEALTH}List": VIEWER,
    f"{_HEALTH}Watch": VIEWER,
}


def role_needed(method: str) -> str:
    return ROLE_OF_METHOD.get(method, OPERATOR)


def may(role: str, needed: str) -> bool:
    return role == OPERATOR or (role == VIEWER and needed == VIEWER)
