"""An operator profile, from the device's store to a record."""

from __future__ import annotations

import asyncio
from pathlib import Path

from trimtab_protos.digest import Digest
from trimtab_protos.errors import TrimtabError

from trimtab.fleet.client import AgentClient
from trimtab.fleet.transfer import pull
from trimtab.operator_profile import OperatorProfile, read_profile


async def pull_profile(
    client: AgentClient, digest: Digest | None, scratch: Path, why_none: str
) -> OperatorProfile:
    """``why_none``: the reason that stands where the device has no document."""
    if digest is None:
        return OperatorProfile(unavailable=why_none)
    target = scratch / f"{digest.sha256}.json"
    try:
        await pull(client, digest, target)
    except TrimtabError as error:
        return OperatorProfile(unavailable=f"the profile did not come back: {error.message}")
    return await asyncio.to_thread(read_profile, target)
