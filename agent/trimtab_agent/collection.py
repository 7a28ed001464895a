"""Room for new files: those of the store that were used longest ago go first."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from trimtab_protos.digest import Digest
from trimtab_protos.errors import StoreFull

from trimtab_agent.artifacts import ArtifactStore, Kept

_LOG = logging.getLogger(__name__)
# A host asks what is missing, sends it, and submits: what it was told to be there stays meanwhile.
GRACE_S = 600.0


@dataclass(frozen=True)
class Collector:
    """``quota_bytes`` 0: as much as the disk has. ``needed``: what a job that has not ended, or
    whose results nobody has fetched yet, must not lose."""

    store: ArtifactStore
    quota_bytes: int
    reserve_bytes: int
    needed: Callable[[], Collection[Digest]]
    clock: Callable[[], float] = time.time

    def make_room(self, wanted_bytes: int) -> None:
        """Raises StoreFull where what may go is not enough."""
        kept = sorted(self.store.kept(), key=lambda each: each.used_at)
        used = sum(each.digest.size_bytes for each in kept)
        for each in kept if self._missing(used, wanted_bytes) > 0 else ():
            if self._may_go(each):
                self.store.remove(each.digest)
                used -= each.digest.size_bytes
                _LOG.info("artifact %s is dropped for newer ones", each.digest)
            if self._missing(used, wanted_bytes) <= 0:
                return
        if self._missing(used, wanted_bytes) > 0:
            raise StoreFull(self._reason(used, wanted_bytes))

    def _may_go(self, kept: Kept) -> bool:
        return self.clock() - kept.used_at > GRACE_S and kept.digest not in self.needed()

    def _missing(self, used_bytes: int, wanted_bytes: int) -> int:
        """Bytes that quota and disk lack, the larger of the two."""
        of_disk = wanted_bytes - self._free()
        if not self.quota_bytes:
            return of_disk
        return max(of_disk, used_bytes + wanted_bytes - self.quota_bytes)

    def _free(self) -> int:
        return shutil.disk_usage(self.store.partial_dir).free - self.reserve_bytes

    def _reason(self, used_bytes: int, wanted_bytes: int) -> str:
        free = max(self._free(), 0)
        held = f"what is left is needed by jobs, or was used in the last {GRACE_S / 60:.0f} minutes"
        if wanted_bytes > free:
            return (
                f"no room for {wanted_bytes} bytes: {free} bytes are free beside the "
                f"{self.reserve_bytes} kept in reserve; {held}"
            )
        return (
            f"no room for {wanted_bytes} bytes: {used_bytes} of the quota of {self.quota_bytes} "
            f"are taken; {held}"
        )
