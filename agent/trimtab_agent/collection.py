"""Room for new files: what was broken off long ago goes first, then what was used longest ago."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from trimtab_protos.digest import Digest
from trimtab_protos.errors import StoreFull

from trimtab_agent.artifacts import ArtifactStore

_LOG = logging.getLogger(__name__)
# A host asks what is missing, sends it, and submits: what it was told to be there stays meanwhile.
GRACE_S = 600.0


@dataclass(frozen=True)
class _Candidate:
    digest: Digest
    bytes_freed: int
    drop: Callable[[Digest], None]
    what: str


@dataclass(frozen=True)
class _Need:
    """``reserve_bytes``: what must be left free on the disk beside it."""

    wanted_bytes: int
    reserve_bytes: int


@dataclass(frozen=True)
class Collector:
    """``quota_bytes`` 0: as much as the disk has. ``needed``: what a job that has not ended, or
    whose results nobody has fetched yet, must not lose."""

    store: ArtifactStore
    quota_bytes: int
    reserve_bytes: int
    needed: Callable[[], Collection[Digest]]
    clock: Callable[[], float] = time.time

    def make_room(self, wanted_bytes: int, under_way: Collection[Digest] = ()) -> None:
        """``under_way``: uploads of which nothing may go.

        Raises StoreFull where what may go is not enough.
        """
        self._make_room(_Need(wanted_bytes, self.reserve_bytes), under_way)

    def make_room_for_output(self, wanted_bytes: int) -> None:
        """The reserve is there for what jobs write: half of it, as their events need some.

        Raises StoreFull.
        """
        fresh = [each for each in self.store.partials() if each.used_at >= self._oldest()]
        need = _Need(wanted_bytes, self.reserve_bytes // 2)
        self._make_room(need, {each.digest for each in fresh})

    def _make_room(self, need: _Need, under_way: Collection[Digest]) -> None:
        used = self._used()
        candidates = self._candidates(under_way) if self._missing(used, need) > 0 else ()
        for each in candidates:
            each.drop(each.digest)
            used -= each.bytes_freed
            _LOG.info("%s %s is dropped for newer files", each.what, each.digest)
            if self._missing(used, need) <= 0:
                return
        if self._missing(used, need) > 0:
            raise StoreFull(self._reason(used, need))

    def _oldest(self) -> float:
        return self.clock() - GRACE_S

    def _used(self) -> int:
        partial = sum(self.store.partial_size(each.digest) for each in self.store.partials())
        return partial + sum(each.digest.size_bytes for each in self.store.kept())

    def _candidates(self, under_way: Collection[Digest]) -> Iterator[_Candidate]:
        """In the order in which they may go. An upload broken off just now, which its host is about
        to resume, is the last."""
        oldest = self._oldest()
        partials = sorted(self.store.partials(), key=lambda each: each.used_at)
        waiting = [each for each in partials if each.digest not in under_way]
        yield from (self._partial(each.digest) for each in waiting if each.used_at < oldest)
        needed = self.needed()
        for kept in sorted(self.store.kept(), key=lambda each: each.used_at):
            if kept.used_at < oldest and kept.digest not in needed:
                yield _Candidate(kept.digest, kept.digest.size_bytes, self.store.remove, "artifact")
        yield from (self._partial(each.digest) for each in waiting if each.used_at >= oldest)

    def _partial(self, digest: Digest) -> _Candidate:
        size = self.store.partial_size(digest)
        return _Candidate(digest, size, self.store.drop_partial, "the broken upload of")

    def _missing(self, used_bytes: int, need: _Need) -> int:
        """Bytes that quota and disk lack, the larger of the two."""
        of_disk = need.wanted_bytes - self._free(need)
        if not self.quota_bytes:
            return of_disk
        return max(of_disk, used_bytes + need.wanted_bytes - self.quota_bytes)

    def _free(self, need: _Need) -> int:
        return shutil.disk_usage(self.store.partial_dir).free - need.reserve_bytes

    def _reason(self, used_bytes: int, need: _Need) -> str:
        free = max(self._free(need), 0)
        held = f"what is left is needed by jobs, or was used in the last {GRACE_S / 60:.0f} minutes"
        if need.wanted_bytes > free:
            return (
                f"no room for {need.wanted_bytes} bytes: {free} bytes are free beside the "
                f"{need.reserve_bytes} kept in reserve; {held}"
            )
        return (
            f"no room for {need.wanted_bytes} bytes: {used_bytes} of the quota of "
            f"{self.quota_bytes} are taken; {held}"
        )
