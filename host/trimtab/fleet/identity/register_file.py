"""The register on the disk: a whole file, and beside it a line for each thing that came since.

With ten thousand devices the whole file is two megabytes: it is neither read nor written anew for
each device that a command connects to.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from trimtab_protos.syncing import sync

from trimtab.fleet.identity.bundle import write_private
from trimtab.fleet.identity.folder import Stamp, stamp
from trimtab.fleet.identity.register import Entry, Register
from trimtab.records import UserError

_LINES_BEFORE_ANEW = 1000  # and one for each entry: a file is written anew once in a round


class RegisterFile:
    """What changes it is for whoever holds the folder's lock; :meth:`read` needs none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: Stamp | None = None
        self._register = Register("")
        self._lines_path = path
        self._read_bytes = 0
        self._whole_count = 0
        self._line_count = 0

    def read(self) -> Register:
        """What this process knows already is not read again. Raises UserError where it cannot
        be read."""
        try:
            while True:
                now = stamp(self._path)
                if now is None or now != self._stamp:
                    self._read_whole()
                    self._stamp = now
                # Else it was written anew, or restored from a backup, meanwhile.
                if self._read_lines() and stamp(self._path) == now:
                    return self._register
                self._stamp = None
        except (OSError, ValueError, TypeError, KeyError) as error:
            self._stamp = None
            raise UserError(
                f"{self._path} cannot be read: {error}", "restore it from a backup of the folder"
            ) from error

    def add(self, entry: Entry) -> None:
        """On the disk when this returns: what was given to somebody can be revoked."""
        self._append(asdict(entry), at_once=True)

    def note_told(self, device: str, number: int) -> None:
        """The system has it when this returns. Lost with the power at most, and then the device
        is told once more."""
        self._append({"told": device, "list": number}, at_once=False)

    def write(self, register: Register) -> None:
        """All of it. The lines have a name that only the whole file tells which they belong to: a
        process that is killed between the two leaves lines that nobody reads."""
        token = secrets.token_hex(4)
        content = {
            "fleet_id": register.fleet_id,
            "list_number": register.list_number,
            "lines": token,
            "entries": [vars(entry) for entry in register.entries],
            "told": register.told,
        }
        write_private(self._path, json.dumps(content, indent=1).encode())
        self._stamp = None
        sync(self._path.parent)
        for lines in self._path.parent.glob(f"{self._path.stem}-*.lines"):
            if lines != self._lines_of(token):
                lines.unlink(missing_ok=True)

    def _append(self, content: dict[str, Any], at_once: bool) -> None:
        register = self.read()
        if self._line_count >= _LINES_BEFORE_ANEW + self._whole_count:
            self.write(register.without_expired())
            self.read()
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        with os.fdopen(os.open(self._lines_path, flags, 0o600), "ab") as file:
            file.truncate(self._read_bytes)  # half a line, of a process that was killed
            file.write(json.dumps(content).encode() + b"\n")
            file.flush()
            if at_once:
                os.fsync(file.fileno())

    def _read_whole(self) -> None:
        content: dict[str, Any] = json.loads(self._path.read_bytes())
        entries = [Entry(**entry) for entry in content.pop("entries")]
        # Older ones had no lines beside them.
        self._lines_path = self._lines_of(content.pop("lines", "0"))
        self._register = Register(entries=entries, **content)
        self._whole_count = len(entries)
        self._read_bytes = self._line_count = 0

    def _read_lines(self) -> bool:
        """Those that are new; False where those that were read are gone. What has no end yet is
        being written, or its writer was killed before it gave anything out."""
        try:
            with self._lines_path.open("rb") as file:
                if os.fstat(file.fileno()).st_size < self._read_bytes:
                    return False
                file.seek(self._read_bytes)
                new = file.read()
        except FileNotFoundError:
            return self._read_bytes == 0
        whole = new[: new.rfind(b"\n") + 1]
        for line in whole.splitlines():
            content = json.loads(line)
            if "told" in content:
                self._register.tell(content["told"], content["list"])
            else:
                self._register.add(Entry(**content))
        self._read_bytes += len(whole)
        self._line_count += whole.count(b"\n")
        return True

    def _lines_of(self, token: str) -> Path:
        return self._path.with_name(f"{self._path.stem}-{token}.lines")


@lru_cache(maxsize=4)
def register_file(path: Path) -> RegisterFile:
    """The same one for the whole process, which has read it already."""
    return RegisterFile(path)
