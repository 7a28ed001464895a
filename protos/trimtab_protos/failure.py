"""Why a running job failed; apart from ``errors`` so that a worker need not import gRPC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

FailureClass = Literal["model", "resources", "device", "harness"]
DISK_FULL = "the device's disk is full"
GATE_REFUSED = "the health gate refused the job: "
FAILURE_CLASSES: tuple[FailureClass, ...] = get_args(FailureClass)


@dataclass(frozen=True)
class Failure:
    """Why a running job or arm failed.

    ``model``: unsupported operator, wrong shape, refused file. ``resources``: out of memory, disk
    full, time limit. ``device``: thermal, sensor, rebooted, unreachable. ``harness``: our fault.
    """

    failure_class: FailureClass
    message: str

    @property
    def for_want_of_disk(self) -> bool:
        """Of class ``resources``, but nothing that the model asked for: with some room it runs."""
        return self.failure_class == "resources" and self.message.startswith(DISK_FULL)

    @property
    def is_of_the_gate(self) -> bool:
        """The device was in no state to begin the job: in a while it may be."""
        return self.failure_class == "device" and self.message.startswith(GATE_REFUSED)
