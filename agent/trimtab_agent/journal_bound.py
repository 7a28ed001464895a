"""How much one job may write down."""

from __future__ import annotations

from trimtab_protos.failure import Failure

from trimtab_agent.config import MEGABYTE
from trimtab_agent.records import EventKind, SampleBatch, SensorBatch, Window

# What grows with the time that is measured. The rest is little, and tells how a job ended.
_MEASURED = (SampleBatch, SensorBatch, Window)


class JournalFull(Exception):
    """``failure``: of the arm that would have written more."""

    def __init__(self, max_bytes: int) -> None:
        self.failure = Failure(
            "resources",
            f"the job has written {max_bytes / MEGABYTE:g} MB of samples and readings, the most "
            "that one job may: give it fewer repeats, a shorter time, or fewer arms "
            "(--arms-per-job)",
        )
        super().__init__(self.failure.message)


def is_bounded(kind: EventKind) -> bool:
    return isinstance(kind, _MEASURED)
