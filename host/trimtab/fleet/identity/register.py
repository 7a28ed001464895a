"""What the authority has issued and revoked, and which devices have the newest list."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

# A device whose clock is behind takes a certificate for valid that is not: it stays that long.
_CLOCKS_DIFFER = timedelta(days=30)


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


@dataclass
class Register:
    """``list_number``: of the newest revocation list. ``told``: device -> the one it was sent.

    Only :meth:`add` and :meth:`tell` change it, for whoever reads it from the disk.
    """

    fleet_id: str
    list_number: int = 1
    entries: list[Entry] = field(default_factory=list)
    told: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._alike: dict[str, list[Entry]] = {}  # by name without case, as TLS takes it
        for entry in self.entries:
            self._alike.setdefault(entry.name.casefold(), []).append(entry)

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)
        self._alike.setdefault(entry.name.casefold(), []).append(entry)

    def tell(self, device: str, number: int) -> None:
        self.told[device] = number

    def newest(self, name: str) -> Entry | None:
        alike = self._alike.get(name.casefold(), [])
        return next((each for each in reversed(alike) if each.name == name), None)

    def spelled(self, name: str) -> str:
        """As it was issued, whatever its case, for TLS takes names without; else ``name``."""
        alike = [each.name for each in self._alike.get(name.casefold(), [])]
        return name if name in alike or not alike else alike[-1]

    def revoke(self, name: str) -> Register:
        """Every certificate of that name; the next list."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        entries = [
            replace(each, revoked=now) if each.name == name and not each.revoked else each
            for each in self.entries
        ]
        return replace(self, entries=entries, list_number=self.list_number + 1)

    def revoked_serials(self) -> list[int]:
        return [int(each.serial) for each in self.entries if each.revoked]

    def without_expired(self) -> Register:
        """Certificates that have expired go where they are revoked, or a newer one of the name is
        there. Those that were only replaced stay: to revoke the name is to revoke them, too."""
        past = datetime.now(UTC) - _CLOCKS_DIFFER
        kept = [
            each
            for each in self.entries
            if each.expires > past or (not each.revoked and each is self.newest(each.name))
        ]
        names = {each.name.casefold() for each in kept}
        told = {name: number for name, number in self.told.items() if name.casefold() in names}
        return replace(self, entries=kept, told=told)
