"""Reading the kernel's small text files below a root directory of the caller's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trimtab_agent.probes.base import Sensor, SensorError
from trimtab_agent.records import SensorInfo


def read_text(path: Path) -> str | None:
    """The stripped content, None where the file is missing or the driver refuses to answer."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\x00 \n\t")
    except OSError:
        return None


def read_int(path: Path) -> int | None:
    text = read_text(path)
    try:
        return int(text) if text is not None else None
    except ValueError:
        return None


def folders(path: Path, pattern: str) -> list[Path]:
    """Matching entries in the order of their numbers ("hwmon2" before "hwmon10")."""
    return sorted(path.glob(pattern), key=lambda entry: (len(entry.name), entry.name))


@dataclass(frozen=True)
class SysfsSensor(Sensor):
    """One integer file; ``scale`` turns it into ``info.unit``."""

    info: SensorInfo
    path: Path
    scale: float

    def read(self) -> float:
        value = read_int(self.path)
        if value is None:
            raise SensorError(f"sensor {self.info.name} does not answer")
        return value * self.scale
