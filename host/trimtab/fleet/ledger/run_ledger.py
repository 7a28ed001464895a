"""One run's folder: its plan, its jobs, their events and the files that came back.

::

    RUN_ID/
      ledger.jsonl             the plan, then what was asked, heard, collected, acknowledged
      events/REQUEST_ID.bin    a job's events as they came
      outputs/SHA256.npz       evaluation outputs and profiles
      lock                     held by the process that goes on with the run
"""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path
from typing import Any

from trimtab.fleet.ledger.checked_log import CheckedLog, first_record
from trimtab.fleet.ledger.device_ledger import DeviceLedger
from trimtab.records import UserError

_LOG, _LOCK = "ledger.jsonl", "lock"
_FOLDERS = ("events", "outputs")


class RunLedger:
    """Opened by one process at a time. ``plan`` is the run's first record; {}: none yet.

    ``durable`` False: nobody goes on with the run where this process ends before it does.
    """

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        """Raises UserError where another process has it open, OSError where it cannot be used."""
        self.folder = folder
        for name in _FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True)
        self._lock = _locked(folder / _LOCK)
        self._durable = durable
        self._log = CheckedLog(folder / _LOG, durable=durable)
        self._devices: dict[str, DeviceLedger] = {}
        self._closed = False
        self.plan: dict[str, Any] = {}
        for record in self._log.records:
            self._take(record)

    def begin(self, plan: dict[str, Any]) -> None:
        self._log.append({"kind": "plan", "plan": plan})
        self.plan = plan

    def device(self, name: str) -> DeviceLedger:
        known = self._devices.get(name)
        if known is None:
            known = DeviceLedger(name, self.folder, self._log.append, gone_on_with=self._durable)
            self._devices[name] = known
        return known

    @property
    def set_aside(self) -> dict[str, str]:
        """Devices of which this process left something undone, each with the reason."""
        return {name: each.set_aside for name, each in self._devices.items() if each.set_aside}

    def close(self) -> None:
        """What is there stays, for whoever goes on. A second time it does nothing."""
        if not self._closed:
            self._closed = True
            self._log.close()
            os.close(self._lock)

    def discard(self) -> None:
        """The run is in the store, whole. Its plan goes first: who is killed in between leaves
        nothing that could be gone on with."""
        (self.folder / _LOG).unlink(missing_ok=True)
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _take(self, record: dict[str, Any]) -> None:
        if record["kind"] == "plan":
            self.plan = record["plan"]
        else:
            self.device(record["device"]).take(record)


def read_plan(folder: Path) -> dict[str, Any]:
    """Without opening it for writing; {} where there is none."""
    record = first_record(folder / _LOG)
    return {} if record is None or record["kind"] != "plan" else dict(record["plan"])


def _locked(path: Path) -> int:
    """The kernel lets it go however this process ends."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        raise UserError(
            f"the run {path.parent.name} is going on in another process ({holder})",
            "wait until it has ended, or end that process",
        ) from error
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor
