"""A sensor for a power meter that sends a line with its total, in millijoules, some times a second.

    EXAMPLE_METER=192.168.1.40:5025 trimtab-agent serve ...

The agent reads a sensor from a thread of its own and wants an answer at once, so a thread of the
meter's takes the lines and ``read`` gives the last one. What makes such a sensor trustworthy is the
other half: it is off unless it was asked for, and once the stream has failed it never again
answers with the number that it had.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from pathlib import Path

from trimtab_agent.probes.base import Probe, Sensor, SensorError
from trimtab_agent.records import SensorInfo

_ADDRESS = "EXAMPLE_METER"
_TIMEOUT_S = 2.0  # to connect, and without a line


class ExampleMeterProbe(Probe):
    name = "example_meter"
    looks_for = f"a meter at {_ADDRESS}"
    _lock = threading.Lock()
    _open: ExampleMeter | None = None

    def discover(self, root: Path) -> list[Sensor]:
        """Called before each job: what is open stays open, what failed is opened anew."""
        address = os.environ.get(_ADDRESS)
        if not address:
            return []
        with self._lock:
            meter = type(self)._open
            if meter is None or meter.failure:
                meter = type(self)._open = ExampleMeter(address)
        return [meter]


class ExampleMeter(Sensor):
    """``info.unavailable_reason`` where it cannot be reached: the agent shows it, and goes on."""

    def __init__(self, address: str) -> None:
        self.failure = ""
        self._energy_mj: float | None = None
        self._told_at = time.monotonic()
        self._first = threading.Event()
        try:
            host, _, port = address.rpartition(":")
            stream = socket.create_connection((host, int(port)), _TIMEOUT_S)
        except (OSError, ValueError) as error:
            self.failure = f"no meter answers at {address}: {error}"
        else:
            threading.Thread(target=self._listen, args=(stream,), daemon=True).start()
            if not self._first.wait(_TIMEOUT_S):
                self.failure = f"the meter at {address} tells nothing"
        self.info = SensorInfo(
            name="example_meter/energy",
            unit="mJ",
            scope="the whole device, at its plug",
            kind="counter",
            sample_period_ns=0,
            unavailable_reason=self.failure,
            role="total",
        )

    def read(self) -> float:
        if not self.failure and time.monotonic() - self._told_at > _TIMEOUT_S:
            self.failure = "the meter stopped telling"
        if self.failure or self._energy_mj is None:
            raise SensorError(f"sensor {self.info.name}: {self.failure or 'nothing told yet'}")
        return self._energy_mj

    def _listen(self, stream: socket.socket) -> None:
        try:
            with stream, stream.makefile("r", encoding="ascii") as lines:
                for line in lines:
                    self._energy_mj, self._told_at = float(line), time.monotonic()
                    self._first.set()
            self.failure = self.failure or "the meter closed the connection"
        except (OSError, ValueError) as error:
            self.failure = self.failure or f"the meter's stream broke: {error}"
        self._first.set()
