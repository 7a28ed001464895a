"""What one device has been given in a run, and what came back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pydantic import TypeAdapter, ValidationError

from trimtab.fleet.jobs import DeviceInfo

_INFO = TypeAdapter(DeviceInfo)
Record = dict[str, Any]


class Write(Protocol):
    def __call__(self, record: Record, *, synced: bool) -> None: ...


@dataclass
class Submission:
    """One job as it was asked for. ``arms`` are keys (see ``Workload.key``).

    ``job_id`` empty: the device's answer was not heard. ``collected``: the arms whose outcome
    counts and whose files are here; None: not at its end yet. ``lost``: why nothing more of it
    will come.
    """

    request_id: str
    arms: tuple[str, ...]
    job_id: str = ""
    collected: frozenset[str] | None = None
    acknowledged: bool = False
    lost: str = ""

    @property
    def is_open(self) -> bool:
        return self.collected is None and not self.lost


@dataclass
class DeviceLedger:
    """Every ``note_`` outlives this process when it returns, and all but two the system.

    Raises OSError where the disk is full.

    ``set_aside``: why something of the device was left undone by this process. ``info``: what the
    device was when its arms were planned; None: not known. ``gone_on_with``: whether another
    process may take the run up.
    """

    device: str
    folder: Path
    write: Write
    device_id: str = ""
    info: DeviceInfo | None = None
    submissions: dict[str, Submission] = field(default_factory=dict)
    set_aside: str = ""
    gone_on_with: bool = True

    def note_device(self, info: DeviceInfo) -> None:
        plain = _INFO.dump_python(info, mode="json")
        self._note("device", device_id=info.device_id, info=plain)

    def note_asked(self, request_id: str, arms: Iterable[str]) -> None:
        self._note("asked", request_id=request_id, arms=list(arms))

    def note_job(self, request_id: str, job_id: str) -> None:
        """Not synced: who lost it asks again under the same request, which is the same job."""
        self._note("job", synced=False, request_id=request_id, job_id=job_id)

    def note_collected(self, request_id: str, arms: Iterable[str]) -> None:
        self._note("collected", request_id=request_id, arms=sorted(arms))

    def note_acknowledged(self, request_id: str) -> None:
        """Not synced: a job may be acknowledged twice."""
        self._note("acknowledged", synced=False, request_id=request_id)

    def note_lost(self, request_id: str, reason: str) -> None:
        self._note("lost", request_id=request_id, reason=reason)

    def events_path(self, request_id: str) -> Path:
        return self.folder / "events" / f"{request_id}.bin"

    def output_path(self, sha256: str, suffix: str) -> Path:
        return self.folder / "outputs" / f"{sha256}{suffix}"

    def _note(self, kind: str, *, synced: bool = True, **fields: Any) -> None:
        record = {"kind": kind, "device": self.device, **fields}
        self.write(record, synced=synced)
        self.take(record)

    def take(self, record: Record) -> None:
        """One record of this device, now or as it was read again."""
        kind = record["kind"]
        if kind == "device":
            self.device_id = record["device_id"]
            self.info = _info(record.get("info"))
        elif kind == "asked":
            request_id = record["request_id"]
            self.submissions[request_id] = Submission(request_id, tuple(record["arms"]))
        else:
            self._advance(kind, self.submissions[record["request_id"]], record)

    def _advance(self, kind: str, submission: Submission, record: Record) -> None:
        if kind == "job":
            submission.job_id = record["job_id"]
        elif kind == "collected":
            submission.collected = frozenset(record["arms"])
        elif kind == "acknowledged":
            submission.acknowledged = True
        elif kind == "lost":
            submission.lost = record["reason"]


def _info(plain: Any) -> DeviceInfo | None:
    """None where another release wrote it down otherwise, or not at all."""
    try:
        return _INFO.validate_python(plain)
    except ValidationError:
        return None
