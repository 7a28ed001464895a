"""A bundle: PEM blocks in a file. Own key and certificate, the fleet's authority and its list."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

MAX_BUNDLE_BYTES = 1 << 20
_BLOCK = re.compile(
    rb"-----BEGIN ([A-Z0-9 ]{1,40})-----\r?\n[A-Za-z0-9+/=\r\n]+-----END \1-----\r?\n?"
)


class BundleError(Exception):
    """What is wrong with an identity, in one line."""


class NotKept(Exception):
    """What is in force and will not outlive the agent, in one line."""


@dataclass(frozen=True)
class Bundle:
    """Each in PEM."""

    key: bytes
    certificate: bytes
    authority: bytes
    revocations: bytes

    def with_revocations(self, revocations: bytes) -> Bundle:
        return replace(self, revocations=revocations)

    def pem(self) -> bytes:
        parts = (self.key, self.certificate, self.authority, self.revocations)
        return b"".join(part.rstrip() + b"\n" for part in parts)


def parse_bundle(data: bytes) -> Bundle:
    """Raises BundleError for anything but exactly those four."""
    if len(data) > MAX_BUNDLE_BYTES:
        raise BundleError(f"a bundle has at most {MAX_BUNDLE_BYTES >> 20} MiB")
    found: dict[bytes, list[bytes]] = {}
    for match in _BLOCK.finditer(data):
        found.setdefault(match[1], []).append(match[0])
    keys = found.pop(b"PRIVATE KEY", [])
    certificates = found.pop(b"CERTIFICATE", [])
    lists = found.pop(b"X509 CRL", [])
    if found or (len(keys), len(certificates), len(lists)) != (1, 2, 1):
        raise BundleError(
            "no bundle: it holds a PRIVATE KEY, two of CERTIFICATE (its own, the fleet's "
            "authority's) and an X509 CRL"
        )
    return Bundle(keys[0], certificates[0], certificates[1], lists[0])


def parse_revocations(data: bytes) -> bytes:
    """The one list in PEM. Raises BundleError."""
    found = [match for match in _BLOCK.finditer(data) if match[1] == b"X509 CRL"]
    if len(data) > MAX_BUNDLE_BYTES or len(found) != 1:
        raise BundleError("no revocation list: one X509 CRL in PEM")
    return found[0][0]
