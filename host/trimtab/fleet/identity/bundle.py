"""A bundle: one PEM file with key, certificate, the fleet's authority and its revocation list."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from trimtab.records import UserError
from trimtab.whole_files import write_whole

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----[^-]+-----END \1-----\r?\n?")
_HEADER = b"# trimtab identity\n# fleet %s\n# %s %s\n"


@dataclass(frozen=True)
class Bundle:
    """Each in PEM."""

    key: bytes
    certificate: bytes
    authority: bytes
    revocations: bytes

    def pem(self) -> bytes:
        parts = (self.key, self.certificate, self.authority, self.revocations)
        return b"".join(part.rstrip() + b"\n" for part in parts)


def read_bundle(path: Path) -> Bundle:
    """Raises UserError for what is no bundle, OSError where it cannot be read."""
    found: dict[bytes, list[bytes]] = {}
    for match in _BLOCK.finditer(path.read_bytes()):
        found.setdefault(match[1], []).append(match[0])
    keys, certificates = found.get(b"PRIVATE KEY", []), found.get(b"CERTIFICATE", [])
    lists = found.get(b"X509 CRL", [])
    if (len(keys), len(certificates), len(lists)) != (1, 2, 1):
        raise UserError(
            f"{path} is no identity of a fleet",
            "use the file that `trimtab fleet operator NAME` or `trimtab fleet viewer NAME` made",
        )
    return Bundle(keys[0], certificates[0], certificates[1], lists[0])


def with_header(bundle: Bundle, fleet_id: str, role: str, name: str) -> bytes:
    """PEM may have lines of text before its blocks: what a person sees who opens the file."""
    return _HEADER % (fleet_id.encode(), role.encode(), name.encode()) + bundle.pem()


def write_private(path: Path, data: bytes) -> None:
    """Whole or not at all, and its owner's alone from the first moment on."""
    write_whole(path, data, mode=0o600)
