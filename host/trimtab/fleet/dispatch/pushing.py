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
    files = {file.digest for file in arm.artifact.files}
    return files | {each.digest for each in workload.data}


async def push_files(
    client: AgentClient,
    workload: Workload,
    arms: Iterable[ArmRequest],
    chunk_bytes: int,
    on_sent: Callable[[Path, int], None],
    heard: Heard,
) -> None:
    """What the device lacks of them. Raises as ``push`` does."""
    files = [(file.path, file.digest) for arm in arms for file in arm.artifact.files]
    files += [(each.path, each.digest) for each in workload.data]
    await push(client, files, chunk_bytes, on_sent, heard)
