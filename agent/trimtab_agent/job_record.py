"""A job as it stands: what its events, one after the other, have made of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from trimtab_protos.digest import Digest
from trimtab_protos.failure import Failure

from trimtab_agent.records import (
    TERMINAL_STATES,
    ArmFinished,
    ArmResult,
    Event,
    JobFinished,
    JobSpec,
    JobState,
    PhaseStarted,
    StateChanged,
)


@dataclass(frozen=True)
class JobView:
    """Times are the device's wall clock, for people; nothing is computed from them.

    ``current_arm``: what it measures, or measured last.
    """

    job_id: str
    request_id: str
    spec: JobSpec
    create_time_ns: int
    state: JobState = "pending"
    start_time_ns: int | None = None
    end_time_ns: int | None = None
    failure: Failure | None = None
    arms: tuple[ArmResult, ...] = ()
    last_sequence: int = 0
    acknowledged: bool = False
    holder: str = ""
    current_arm: str = ""
    current_repeat: int = 0

    @property
    def is_terminal(self) -> bool:
        return self.state in TERMINAL_STATES

    @property
    def outputs(self) -> tuple[Digest, ...]:
        """Artifacts that the job made."""
        made = ((arm.evaluation_outputs, arm.operator_profile) for arm in self.arms)
        return tuple(digest for digests in made for digest in digests if digest is not None)


def advance(job: JobView, event: Event) -> JobView:
    """The job after one more event."""
    job = replace(job, last_sequence=event.sequence)
    kind = event.kind
    if isinstance(kind, StateChanged):
        start = job.start_time_ns
        if start is None and kind.state != "pending":
            start = event.time_unix_ns
        return replace(job, state=kind.state, start_time_ns=start)
    if isinstance(kind, PhaseStarted):
        return replace(job, current_arm=event.arm, current_repeat=event.repeat_index)
    if isinstance(kind, ArmFinished):
        return replace(job, arms=(*job.arms, kind.result))
    if isinstance(kind, JobFinished):
        return replace(
            job,
            state=kind.state,
            failure=kind.failure,
            arms=kind.arms,
            end_time_ns=event.time_unix_ns,
        )
    return job
