"""The seam every sensor family stands behind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from trimtab_agent.records import SensorInfo


class SensorError(Exception):
    """The sensor did not answer; the message says which and why."""


class Sensor(ABC):
    """One source of numbers; ``info`` says the UCUM unit, what it covers and its native period.

    A native period of 0 is one that the kernel does not tell.
    """

    info: SensorInfo

    @property
    def source(self) -> str:
        """What it hangs on: sensors of one source are read in turn by one thread, which a read
        that never returns takes along."""
        return self.info.name.rpartition("/")[0] or self.info.name

    @abstractmethod
    def read(self) -> float:
        """The value now, in ``info.unit``; raises SensorError."""


class Probe(ABC):
    """``looks_for`` completes "no power sensor found (looked for ...)"; empty: not for power."""

    name: ClassVar[str]
    looks_for: ClassVar[str] = ""

    @abstractmethod
    def discover(self, root: Path) -> list[Sensor]:
        """Sensors below ``root`` ("/" on a device); none found is an empty list, not an error."""

    def remark(self, root: Path) -> str:
        """Why this device has nothing of this family, where more is known than that; else ""."""
        return ""
