"""Content addresses: the identity of an artifact is its SHA-256 and its size."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

_SHA256_HEX = re.compile(r"[0-9a-f]{64}")
_READ_BYTES = 1 << 20


@dataclass(frozen=True, order=True)
class Digest:
    """Raises ValueError unless ``sha256`` is 64 lowercase hex digits and the size is >= 0."""

    sha256: str
    size_bytes: int

    def __post_init__(self) -> None:
        if not _SHA256_HEX.fullmatch(self.sha256):
            raise ValueError(f"not a SHA-256 in lowercase hex: {self.sha256[:80]!r}")
        if self.size_bytes < 0:
            raise ValueError(f"negative size: {self.size_bytes}")

    def __str__(self) -> str:
        return f"{self.sha256[:12]} ({self.size_bytes} bytes)"


def digest_bytes(data: bytes) -> Digest:
    return Digest(hashlib.sha256(data).hexdigest(), len(data))


def digest_file(path: Path) -> Digest:
    """Raises OSError where the file cannot be read."""
    hasher = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while chunk := file.read(_READ_BYTES):
            hasher.update(chunk)
            size += len(chunk)
    return Digest(hasher.hexdigest(), size)
