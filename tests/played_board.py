"""A board whose power follows what its processors do: files where the kernel's would lie.

A Jetson Nano's input rail is played: 5 V, and a current that is idle's and, while a worker is busy,
that much more for each busy core, as the kernel's scheduler counts it. What is read from the files
is thus right or wrong by how the agent measures, as on a board.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

IDLE_W, BUSY_CORE_W = 2.0, 3.0
_VOLTS = 5.0
_PERIOD_S = 0.005
_SMOOTHED_S = 0.02
_CHIP = "sys/class/hwmon/hwmon0"


class PlayedBoard:
    def __init__(self, root: Path) -> None:
        self.root = root
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._play, daemon=True)
        self.watts = IDLE_W
        self._write("proc/device-tree/model", "NVIDIA Jetson Nano Developer Kit\0")
        self._write("proc/device-tree/compatible", "nvidia,p3450-0000\0nvidia,tegra210\0")
        self._write(f"{_CHIP}/name", "ina3221\n")
        self._write(f"{_CHIP}/in1_label", "POM_5V_IN\n")
        self._write(f"{_CHIP}/in1_input", f"{_VOLTS * 1e3:.0f}\n")
        self._write_current()

    @property
    def current(self) -> Path:
        return self.root / _CHIP / "curr1_input"

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def start(self) -> None:
        self._thread.start()

    def _play(self) -> None:
        before, at = self._busy_ns(), time.monotonic_ns()
        while not self._stopped.wait(_PERIOD_S):
            busy, now = self._busy_ns(), time.monotonic_ns()
            cores = max(busy - before, 0) / (now - at)
            before, at = busy, now
            share = min(_PERIOD_S / _SMOOTHED_S, 1.0)
            aim = IDLE_W + BUSY_CORE_W * cores
            self.watts += share * (aim - self.watts)
            self._write_current()

    def _busy_ns(self) -> int:
        """Of all workers, as the scheduler counts it (/proc/PID/task/TID/schedstat)."""
        total = 0
        for process in psutil.process_iter(["cmdline"]):
            if "trimtab_agent.worker" in (process.info["cmdline"] or ()):
                total += sum(map(_ran_ns, Path(f"/proc/{process.pid}/task").glob("*/schedstat")))
        return total

    def _write_current(self) -> None:
        self._write(f"{_CHIP}/curr1_input", f"{self.watts / _VOLTS * 1e3:.0f}\n")

    def _write(self, name: str, text: str) -> None:
        """A reader sees the old value or the new one."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name("unfinished")
        unfinished.write_text(text)
        unfinished.replace(path)


@contextmanager
def played_board(root: Path) -> Iterator[PlayedBoard]:
    board = PlayedBoard(root)
    board.start()
    try:
        yield board
    finally:
        board.stop()


def _ran_ns(schedstat: Path) -> int:
    try:
        return int(schedstat.read_text().split()[0])
    except (OSError, ValueError, IndexError):  # it ended meanwhile
        return 0
