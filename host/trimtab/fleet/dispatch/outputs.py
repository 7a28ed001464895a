"""An arm's files, once they are here: outputs of the evaluation, the operators' profile."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from trimtab_protos.digest import Digest
from trimtab_protos.errors import ArtifactMissing, DigestMismatch, Failure, InternalError

from trimtab.fleet.client import AgentClient
from trimtab.fleet.collect import JobCollector
from trimtab.fleet.jobs import ArmOutcome
from trimtab.fleet.ledger import DeviceLedger
from trimtab.fleet.transfer import Heard, pull
from trimtab.operator_profile import OperatorProfile, read_profile
from trimtab.records import RawArm

_PULLS = 3
_OUTPUTS, _PROFILE = ".npz", ".json"


async def pull_outputs(
    client: AgentClient, collector: JobCollector, arm: str, ledger: DeviceLedger, heard: Heard
) -> str:
    """Fetches what is not here yet; the reason where the device no longer has something.

    Raises DeviceUnreachable, and InternalError where the device has it and cannot send it.
    """
    wanted = zip(_digests(collector.outcome(arm)), (_OUTPUTS, _PROFILE), strict=True)
    for digest, suffix in wanted:
        if digest is None or ledger.output_path(digest.sha256, suffix).exists():
            continue
        try:
            await _pulled(client, digest, ledger.output_path(digest.sha256, suffix), heard)
        except (ArtifactMissing, DigestMismatch) as error:
            return error.message
    return ""


async def _pulled(client: AgentClient, digest: Digest, target: Path, heard: Heard) -> None:
    for left in reversed(range(_PULLS)):
        try:
            await pull(client, digest, target, heard)
            return
        except InternalError:
            if not left:
                raise


async def raw_arm(
    collector: JobCollector, arm: str, ledger: DeviceLedger, profiled: bool, why_gone: str = ""
) -> RawArm:
    """``why_gone``: what :func:`pull_outputs` said."""
    outcome = collector.outcome(arm)
    path, failure = _found(
        outcome.evaluation_outputs if outcome else None, _OUTPUTS, ledger, why_gone
    )
    raw = collector.raw_arm(arm, path, failure)
    if not profiled or raw.failure is not None:
        return raw
    path, failure = _found(
        outcome.operator_profile if outcome else None, _PROFILE, ledger, why_gone
    )
    if path is not None:
        return replace(raw, profile=await asyncio.to_thread(read_profile, path))
    told = raw.unavailable.get("operator_profile", "the device sent no profile")
    reason = f"the profile did not come back: {why_gone}" if failure else told
    return replace(raw, profile=OperatorProfile(unavailable=reason))


def _digests(outcome: ArmOutcome | None) -> tuple[Digest | None, Digest | None]:
    return (outcome.evaluation_outputs, outcome.operator_profile) if outcome else (None, None)


def _found(
    digest: Digest | None, suffix: str, ledger: DeviceLedger, why_gone: str
) -> tuple[Path | None, Failure | None]:
    if digest is None:
        return None, None
    path = ledger.output_path(digest.sha256, suffix)
    if path.exists():
        return path, None
    why = why_gone or "they are no longer here"
    return None, Failure("device", f"the outputs did not come back: {why}")
