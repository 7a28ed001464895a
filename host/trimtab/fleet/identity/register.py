"""What the authority has issued and revoked, and which devices have the newest list."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trimtab.fleet.identity.bundle import write_private
from trimtab.records import UserError


@dataclass(frozen=True)
class Entry:
    """One certificate. ``serial`` in decimal digits: JSON's readers lose such large numbers."""

    name: str
    role: str
    serial: str
    not_after: str
    issued: str
    revoked: str = ""

    @property
    def expires(self) -> datetime:
        return datetime.fromisoformat(self.not_after)

    def state(self) -> str:
        if self.revoked:
            return f"revoked {self.revoked[:10]}"
        return "expired" if self.expires < datetime.now(UTC) else "in force"


@dataclass(frozen=True)
class Register:
    """``list_number``: of the newest revocation list. ``told``: device -> the one it was sent."""

    fleet_id: str
    list_number: int = 1
    entries: tuple[Entry, ...] = ()
    told: dict[str, int] = field(default_factory=dict)

    def newest(self, name: str) -> Entry | None:
        return next((each for each in reversed(self.entries) if each.name == name), None)

    def spelled(self, name: str) -> str:
        """As it was issued, whatever its case, for TLS takes names without; else ``name``."""
        alike = [each.name for each in self.entries if each.name.casefold() == name.casefold()]
        return name if name in alike or not alike else alike[-1]

    def with_entry(self, entry: Entry) -> Register:
        return replace(self, entries=(*self.entries, entry))

    def revoke(self, name: str) -> Register:
        """Every certificate of that name; the next list."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        entries = tuple(
            replace(each, revoked=now) if each.name == name and not each.revoked else each
            for each in self.entries
        )
        return replace(self, entries=entries, list_number=self.list_number + 1)

    def revoked_serials(self) -> list[int]:
        return [int(each.serial) for each in self.entries if each.revoked]

    def with_told(self, device: str) -> Register:
        return replace(self, told={**self.told, device: self.list_number})


def read_register(path: Path) -> Register:
    """Raises UserError where it cannot be read."""
    try:
        content: dict[str, Any] = json.loads(path.read_text())
        entries = tuple(Entry(**entry) for entry in content.pop("entries"))
        return Register(entries=entries, **content)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{path} cannot be read: {error}", "restore it from a backup of the folder"
        ) from error


def write_register(path: Path, register: Register) -> None:
    write_private(path, json.dumps(asdict(register), indent=2).encode())
