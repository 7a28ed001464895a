"""The lease and the line in a file: they survive a restart of the agent, and no reboot.

The file is replaced whole and not synced to the disk: only a power cut could lose what was
written, and that is a reboot, after which it counts no more. So a renewal while a job is being
measured costs no write to the disk.
"""

from __future__ import annotations

import json
import logging
import zlib
from dataclasses import dataclass
from pathlib import Path

from trimtab_agent.leases.book import Snapshot
from trimtab_agent.plain import from_plain, to_plain

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Kept:
    boot_id: str
    snapshot: Snapshot


class StateFile:
    """A line of the content's CRC-32 in hex, then the content as JSON."""

    def __init__(self, path: Path, boot_id: str) -> None:
        self._path = path
        self._boot_id = boot_id

    def save(self, snapshot: Snapshot) -> None:
        """Raises OSError."""
        text = json.dumps(to_plain(_Kept(self._boot_id, snapshot)))
        temporary = self._path.with_suffix(".tmp")
        temporary.write_text(f"{_checksum(text)}\n{text}", encoding="utf-8")
        temporary.replace(self._path)

    def load(self) -> Snapshot:
        """An empty one where there is none of this boot, or none that can be read."""
        try:
            checksum, _, text = self._path.read_text(encoding="utf-8").partition("\n")
            if checksum != _checksum(text):
                raise ValueError("its checksum is wrong")
            kept = from_plain(_Kept, json.loads(text))
            found = (kept.boot_id, kept.snapshot)
        except FileNotFoundError:
            return Snapshot(None)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            _LOG.warning("%s cannot be read, so nobody holds the device: %s", self._path, error)
            return Snapshot(None)
        boot_id, snapshot = found
        if boot_id != self._boot_id:
            _LOG.info("the device has rebooted: leases from before count no more")
            return Snapshot(None)
        return snapshot


def _checksum(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"
