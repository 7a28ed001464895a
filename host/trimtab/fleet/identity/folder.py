"""The files of a fleet on this host, each its owner's alone."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from trimtab.fleet.identity.bundle import Bundle, read_bundle
from trimtab.home import home

NO_IDENTITY = (
    "make a fleet with `trimtab fleet identity NAME` for the device, or join one with "
    "`trimtab fleet join FILE`"
)


Stamp = tuple[int, int, int]


def stamp(path: Path) -> Stamp | None:
    """Another one once the file is another; None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


@dataclass(frozen=True)
class FleetFolder:
    path: Path

    @property
    def authority_key(self) -> Path:
        return self.path / "authority.key"

    @property
    def authority(self) -> Path:
        return self.path / "authority.pem"

    @property
    def revocations(self) -> Path:
        return self.path / "revocations.pem"

    @property
    def register(self) -> Path:
        return self.path / "issued.json"

    @property
    def host(self) -> Path:
        """This host's own identity, a bundle."""
        return self.path / "host.identity"

    @property
    def is_authority(self) -> bool:
        return self.authority_key.exists()

    def host_bundle(self) -> Bundle | None:
        """None where this host belongs to no fleet. Raises UserError for a broken one."""
        return read_bundle(self.host) if self.host.exists() else None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One process at a time changes what is here."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.chmod(0o700)
        with (self.path / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def fleet_folder() -> FleetFolder:
    return FleetFolder(home() / "fleet")
