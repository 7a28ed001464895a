"""A device's arms in the order of the plan, and what became of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trimtab_protos.errors import Failure

from trimtab.fleet.collect import failed_arm
from trimtab.fleet.dispatch.admission import split
from trimtab.fleet.dispatch.job import JobEnd
from trimtab.fleet.dispatch.workload import Measured, Workload
from trimtab.fleet.jobs import ArmRequest, DeviceInfo
from trimtab.records import DeviceRef, RawArm


class Outcomes:
    """``arms`` by their keys; not planned until it is known what the device has."""

    def __init__(self, device: str, workload: Workload) -> None:
        self.arms: dict[str, ArmRequest] = {}
        self.is_planned = False
        self._device = device
        self._workload = workload
        self._info: DeviceInfo | None = None
        self._runnable: tuple[str, ...] = ()
        self._refused: dict[str, RawArm] = {}
        self._found: dict[str, Measured] = {}

    def plan(self, info: DeviceInfo) -> None:
        self.arms = {self._workload.key(arm): arm for arm in self._workload.arms(info)}
        self.is_planned = True
        self.admit(info)

    def admit(self, info: DeviceInfo) -> None:
        """What can run is as the device is now; what was measured before stays measured."""
        self._info = info
        key = self._workload.key
        runnable, refused = split(tuple(self.arms.values()), info)
        self._refused = {key(arm): raw for arm, raw in refused}
        alone = self._workload.interleaved and refused
        self._runnable = () if alone else tuple(key(arm) for arm in runnable)

    @property
    def runnable(self) -> Sequence[ArmRequest]:
        return [self.arms[key] for key in self._runnable]

    @property
    def is_any_refused(self) -> bool:
        """As the device was when that was looked at last."""
        return any(key not in self._found for key in self._refused)

    @property
    def missing(self) -> list[str]:
        """Keys of what can run and has no outcome yet."""
        return [key for key in self._runnable if key not in self._found]

    def of(self, keys: Sequence[str]) -> dict[str, ArmRequest] | None:
        """None where one of them is of another plan."""
        if not all(key in self.arms for key in keys):
            return None
        return {key: self.arms[key] for key in keys}

    def keep(self, raws: Mapping[str, RawArm], job_id: str, end: JobEnd) -> None:
        for key, raw in raws.items():
            blocks = end.blocks.get(key, ())
            self._found[key] = Measured(self.arms[key], self._reference, raw, job_id, blocks)

    def refuse(self, key: str, failure: Failure) -> None:
        arm = self.arms[key]
        self._found[key] = Measured(arm, self._reference, failed_arm(arm, failure), "")

    def measured(self, otherwise: Failure) -> list[Measured]:
        """Every arm. ``otherwise``: why those are missing of which nothing else is known."""
        return [self._found.get(key) or self._failed(key, otherwise) for key in self.arms]

    def _failed(self, key: str, otherwise: Failure) -> Measured:
        arm = self.arms[key]
        raw = self._refused.get(key) or failed_arm(arm, otherwise)
        return Measured(arm, self._reference, raw, "")

    @property
    def _reference(self) -> DeviceRef:
        info = self._info
        device_id, description = (info.device_id, info.description) if info else ("", "")
        return DeviceRef(self._device, device_id, description)
