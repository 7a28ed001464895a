"""What every external meter has in common: opened once a process, told as one counter of energy."""

from __future__ import annotations

import atexit
import importlib
import json
import threading
import time
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Protocol

from trimtab_agent.meters.counter import Clock
from trimtab_agent.meters.settings import (
    FILE_NAME,
    MeterError,
    MeterSettings,
    meter_settings,
    role_setting,
)
from trimtab_agent.probes.base import Probe, Sensor, SensorError
from trimtab_agent.probes.sysfs import UnavailableSensor
from trimtab_agent.records import SensorInfo, SensorRole

RETRY_S = 30.0  # a meter that could not be opened is not tried again before


class Session(Protocol):
    """One open meter."""

    @property
    def scope(self) -> str: ...

    @property
    def failure(self) -> str | None: ...

    def read_mj(self) -> float:
        """Raises MeterError."""

    def close(self) -> None:
        """Never raises; leaves the power of what hangs on the meter as it is."""


@dataclass(frozen=True)
class MeterSensor(Sensor):
    info: SensorInfo
    session: Session

    def read(self) -> float:
        try:
            return self.session.read_mj()
        except MeterError as error:
            raise SensorError(f"sensor {self.info.name}: {error}") from error


@dataclass(frozen=True)
class _Failed:
    reason: str
    at: float


class MeterProbe(Probe):
    """A subclass gives ``name``, ``period_ns`` (of its stream's updates) and ``open``."""

    period_ns: int

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._lock = _LOCK
        self._open = _OPEN

    @abstractmethod
    def open(self, settings: MeterSettings) -> Session:
        """Raises MeterError; returns once the first figures have come."""

    def discover(self, root: Path) -> list[Sensor]:
        """Nothing, and nothing is opened, unless the owner switched this meter on."""
        try:
            settings = meter_settings(root, self.name)
            if settings is None:
                return []
            role = role_setting(self.name, settings)
            session = self._session(settings)
        except MeterError as error:
            return [UnavailableSensor(self._info("", str(error), None))]
        return [MeterSensor(self._info(session.scope, "", role), session)]

    def _session(self, settings: MeterSettings) -> Session:
        """The one that is open; a new one where it failed. Raises MeterError."""
        key = f"{self.name} {json.dumps(settings, sort_keys=True)}"
        with self._lock:
            held = self._open.get(key)
            if isinstance(held, _Failed) and self._clock() - held.at < RETRY_S:
                raise MeterError(held.reason)
            if held is not None and not isinstance(held, _Failed):
                failure = held.failure
                if failure is None:
                    return held
                held.close()
            try:
                session = self._guarded_open(settings)
            except MeterError as error:
                self._open[key] = _Failed(str(error), self._clock())
                raise
            self._open[key] = session
            atexit.register(close_all)  # calling it again does nothing
            return session

    def _guarded_open(self, settings: MeterSettings) -> Session:
        try:
            return self.open(settings)
        except MeterError:
            raise
        except Exception as error:  # a vendor's library may raise anything
            raise MeterError(f"the {self.name} cannot be opened: {describe(error)}") from error

    def _info(self, scope: str, unavailable_reason: str, role: SensorRole | None) -> SensorInfo:
        return SensorInfo(
            name=f"{self.name}/energy",
            unit="mJ",
            scope=scope or f"what hangs on the {self.name}",
            kind="counter",
            sample_period_ns=self.period_ns,
            unavailable_reason=unavailable_reason,
            role=role,
        )


# One process, one owner of each meter: every probe object of a kind shares what is open.
_LOCK = threading.Lock()
_OPEN: dict[str, Session | _Failed] = {}


def close_all() -> None:
    """Closes every meter that this process holds."""
    with _LOCK:
        for held in _OPEN.values():
            if not isinstance(held, _Failed):
                held.close()
        _OPEN.clear()


def library(name: str, package: str) -> ModuleType:
    """Raises MeterError where it is not installed, or breaks while it is imported."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MeterError(
            f"{package} cannot be imported: pip install {package} ({error})"
        ) from error
    except Exception as error:  # a library's own code may raise anything at import
        raise MeterError(f"{package} cannot be imported: {describe(error)}") from error


def describe(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def looks_for(what: str) -> str:
    return f"{what} in {FILE_NAME}"
