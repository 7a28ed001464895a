"""Reading the kernel's small text files below a root directory of the caller's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trimtab_agent.probes.base import Sensor, SensorError
from trimtab_agent.records import SensorInfo


def read_text(path: Path) -> str | None:
    """The stripped content, None where the file is missing or the driver refuses to answer."""
    try:
        # A sensor is read a hundred times a second: unbuffered takes a third of the time.
        with path.open("rb", buffering=0) as file:
            return file.read().decode("utf-8", "replace").strip("\x00 \n\t")
    except OSError:
        return None


def read_int(path: Path) -> int | None:
    text = read_text(path)
    try:
        return int(text) if text is not None else None
    except ValueError:
        return None


def is_forbidden(path: Path) -> bool:
    """It is there, and this user may not read it."""
    try:
        path.read_bytes()
    except PermissionError:
        return True
    except OSError:
        return False
    return False


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
        if value < 0 and self.info.kind == "counter":
            raise SensorError(f"sensor {self.info.name} is at {value}: no counter is negative")
        return value * self.scale


@dataclass(frozen=True)
class ProductSensor(Sensor):
    """Two integer files, one of current and one of voltage, read one right after the other."""

    info: SensorInfo
    current: Path
    voltage: Path
    scale: float

    def read(self) -> float:
        current, voltage = read_int(self.current), read_int(self.voltage)
        if current is None or voltage is None:
            raise SensorError(f"sensor {self.info.name} does not answer")
        return current * voltage * self.scale


@dataclass(frozen=True)
class UnavailableSensor(Sensor):
    """What is there and cannot be read: ``info.unavailable_reason`` says why."""

    info: SensorInfo

    def read(self) -> float:
        raise SensorError(f"sensor {self.info.name}: {self.info.unavailable_reason}")
