"""What a worker left becomes an artifact, for whose place other files may have to go."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from pathlib import Path

from trimtab_protos.digest import Digest
from trimtab_protos.errors import ArtifactTooLarge, StoreFull
from trimtab_protos.failure import Failure, FailureClass

from trimtab_agent.artifacts import ArtifactStore
from trimtab_agent.job_log import JobLog
from trimtab_agent.worker_output import NoFile


@dataclass(frozen=True)
class KeptOutputs:
    """Of one job. ``max_bytes``: the most that is taken of one file."""

    log: JobLog
    artifacts: ArtifactStore
    max_bytes: int

    async def keep(self, file: Path, what: str) -> tuple[Digest | None, Failure | None]:
        """Its digest, or why there is none."""
        kind: FailureClass = "resources"
        try:
            return await self._take(file), None
        except NoFile as error:
            kind, reason = "model", error.strerror
        except OSError as error:
            reason = error.strerror
        except (ArtifactTooLarge, StoreFull) as error:
            reason = error.message
        return None, Failure(kind, f"the {what} could not be kept: {reason}")

    async def _take(self, file: Path) -> Digest:
        size = file.lstat().st_size
        if size <= self.max_bytes:  # else it is refused, and nothing need go for it
            self.artifacts.make_room(size)
        while True:
            digest = await asyncio.to_thread(self.artifacts.add_file, file, self.max_bytes)
            self.log.claim(digest)
            # A job that was dropped before the claim may have taken the same file along.
            if self.artifacts.has(digest):
                return digest


def forget(file: Path) -> None:
    """Before the next arm needs the room. What is no file goes with the job's folder."""
    with contextlib.suppress(OSError):
        file.unlink()
