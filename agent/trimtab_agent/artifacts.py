"""The content-addressed store: files by SHA-256 and size.

::

    blobs/ab/abcd...-1234     complete files, read-only
    partial/abcd...-1234      uploads on their way (see ``uploads.py``)
    partial/tmp...            an output on its way into the store
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from trimtab_protos.digest import Digest
from trimtab_protos.errors import ArtifactMissing, ArtifactTooLarge, OffsetMismatch
from trimtab_protos.syncing import sync

from trimtab_agent.records import FileRef
from trimtab_agent.worker_output import copy_hashed, open_output

_DOWNLOAD_BYTES = 1 << 18
_READ_ONLY = 0o444
_TEMPORARY_PREFIX = "tmp"


@dataclass(frozen=True)
class Kept:
    """``used_at``: seconds since 1970; when it came, or somebody last asked for it."""

    digest: Digest
    used_at: float


class ArtifactStore:
    """Complete files only: what has a name here was verified.

    A file's time of modification is that of its last use. ``make_room``: what a collector does so
    that an output of so many bytes fits; it raises StoreFull.
    """

    def __init__(self, root: Path) -> None:
        self.make_room: Callable[[int], None] = lambda wanted_bytes: None
        self.partial_dir = root / "partial"
        self._blobs = root / "blobs"
        self._blobs.mkdir(parents=True, exist_ok=True)
        self.partial_dir.mkdir(parents=True, exist_ok=True)
        for leftover in self.partial_dir.glob(_TEMPORARY_PREFIX + "*"):
            leftover.unlink()

    def has(self, digest: Digest) -> bool:
        try:
            return self._path(digest).stat().st_size == digest.size_bytes
        except FileNotFoundError:
            return False

    def path(self, digest: Digest) -> Path:
        """Raises ArtifactMissing."""
        if not self.has(digest):
            raise ArtifactMissing(f"the device has no artifact {digest}")
        return self._path(digest)

    def missing(self, digests: Iterable[Digest]) -> tuple[Digest, ...]:
        """Each once, in the order asked. Those that are there count as used now."""
        return tuple(digest for digest in dict.fromkeys(digests) if not self._use(digest))

    def kept(self) -> Iterator[Kept]:
        """In no order; a name that is none of the store's is passed over."""
        for path in self._blobs.glob("*/*"):
            sha256, _, size = path.name.partition("-")
            if size.isdecimal():
                with contextlib.suppress(FileNotFoundError, ValueError):
                    yield Kept(Digest(sha256, int(size)), path.stat().st_mtime)

    def partials(self) -> Iterator[Kept]:
        """Uploads that are not whole: their digests are what is to come, see ``partial_size``."""
        for path in self.partial_dir.iterdir():
            sha256, _, size = path.name.partition("-")
            if size.isdecimal():
                with contextlib.suppress(FileNotFoundError, ValueError):
                    yield Kept(Digest(sha256, int(size)), path.stat().st_mtime)

    def partial_path(self, digest: Digest) -> Path:
        return self.partial_dir / f"{digest.sha256}-{digest.size_bytes}"

    def partial_size(self, digest: Digest) -> int:
        """Bytes of it that came so far."""
        try:
            return self.partial_path(digest).stat().st_size
        except FileNotFoundError:
            return 0

    def drop_partial(self, digest: Digest) -> None:
        self.partial_path(digest).unlink(missing_ok=True)

    def _use(self, digest: Digest) -> bool:
        """Whether it is there."""
        if not self.has(digest):
            return False
        with contextlib.suppress(OSError):  # gone meanwhile, or a read-only file system
            os.utime(self._path(digest))
        return True

    async def read(self, digest: Digest, offset: int) -> AsyncIterator[bytes]:
        """Raises ArtifactMissing, or OffsetMismatch for an offset outside the file."""
        path = self.path(digest)
        if not 0 <= offset <= digest.size_bytes:
            raise OffsetMismatch(
                f"read_offset {offset} is outside the file's {digest.size_bytes} bytes",
                committed_size=str(digest.size_bytes),
            )
        with path.open("rb") as file:
            file.seek(offset)
            while data := await asyncio.to_thread(file.read, _DOWNLOAD_BYTES):
                yield data

    def materialize(self, files: tuple[FileRef, ...], folder: Path) -> Path:
        """Put the files under their names into the folder; returns the first one's path.

        Raises ArtifactMissing, or ValueError where a name is a path.
        """
        folder.mkdir(parents=True, exist_ok=True)
        for ref in files:
            if ref.name in ("", "..") or Path(ref.name).name != ref.name:
                raise ValueError(f"not a bare file name: {ref.name!r}")
            source, target = self.path(ref.digest), folder / ref.name
            self._use(ref.digest)
            try:
                # A symbolic link would not do: ONNX Runtime follows it and then looks for external
                # data in the store's own folder.
                os.link(source, target)
            except FileExistsError:
                raise
            except OSError:  # another file system, or one without hard links
                shutil.copyfile(source, target)
        return folder / files[0].name

    def add_file(self, path: Path, most_bytes: int | None = None) -> Digest:
        """Take a worker's output into the store; the original stays.

        What the store has already counts as used now. Raises NoFile, ArtifactTooLarge or OSError.
        """
        with open_output(path) as source:
            size = os.fstat(source.fileno()).st_size
            if most_bytes is not None and size > most_bytes:
                raise ArtifactTooLarge(
                    f"{size} bytes are more than the agent takes in one artifact ({most_bytes})",
                    max_bytes=str(most_bytes),
                )
            descriptor, name = tempfile.mkstemp(dir=self.partial_dir, prefix=_TEMPORARY_PREFIX)
            try:
                with os.fdopen(descriptor, "wb") as target:
                    digest = copy_hashed(source, target, size)
                    target.flush()
                    os.fsync(target.fileno())
                self.adopt(Path(name), digest)
            except OSError:  # the disk is full
                Path(name).unlink(missing_ok=True)
                raise
        return digest

    def adopt(self, verified: Path, digest: Digest) -> None:
        """Give a file in ``partial_dir``, verified and synced, its name in the store."""
        target = self._path(digest)
        target.parent.mkdir(exist_ok=True)
        os.utime(verified)
        verified.chmod(_READ_ONLY)
        verified.replace(target)
        sync(target.parent)

    def remove(self, digest: Digest) -> None:
        self._path(digest).unlink(missing_ok=True)

    def _path(self, digest: Digest) -> Path:
        return self._blobs / digest.sha256[:2] / f"{digest.sha256}-{digest.size_bytes}"
