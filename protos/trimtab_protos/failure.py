"""Why a running job failed; apart from ``errors`` so that a worker need not import gRPC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

FailureClass = Literal["model", "resources", "device", "harness"]
FAILURE_CLASSES: tuple[FailureClass, ...] = get_args(FailureClass)


@dataclass(frozen=True)
class Failure:
    """Why a running job or arm failed.

    ``model``: unsupported operator, wrong shape, refused file. ``resources``: out of memory, disk
    full, time limit. ``device``: thermal, sensor, rebooted, unreachable. ``harness``: our fault.
    """

    failure_class: FailureClass
    message: str
