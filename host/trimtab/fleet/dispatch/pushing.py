"""The files that arms need on their device."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from trimtab_protos.digest import Digest

from trimtab.fleet.client import AgentClient
from trimtab.fleet.dispatch.workload import Workload
from trimtab.fleet.jobs import ArmRequest
from trimtab.fleet.transfer import Heard, push


def needs(workload: Workload, arm: ArmRequest) -> set[Digest]:
    """Its own files, and those that all arms need."""
    common = (workload.evaluation, workload.inputs)
    files = {file.digest for file in arm.artifact.files}
    return files | {each.digest for each in common if each is not None}


async def push_files(
    client: AgentClient,
    workload: Workload,
    arms: Iterable[ArmRequest],
    chunk_bytes: int,
    on_sent: Callable[[Path, int], None],
    heard: Heard,
) -> None:
    """What the device lacks of them. Raises as ``push`` does."""
    files = {file.digest: file.path for arm in arms for file in arm.artifact.files}
    for data in (workload.evaluation, workload.inputs):
        if data is not None:
            files[data.digest] = data.path
    await push(
        client, [(path, digest) for digest, path in files.items()], chunk_bytes, on_sent, heard
    )
