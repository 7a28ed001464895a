"""What a fleet's authority does in passing, with a device that it has just reached."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import grpc.aio
from trimtab_protos.errors import IdentityInvalid, TrimtabError

from trimtab.fleet.errors import DeviceUnreachable
from trimtab.fleet.identity.expiry import note_device, soon_expires
from trimtab.fleet.identity.folder import fleet_folder
from trimtab.fleet.identity.probe import Seen
from trimtab.fleet.identity.register_file import register_file
from trimtab.fleet.identity.remote import IdentityClient
from trimtab.records import UserError

if TYPE_CHECKING:
    from trimtab.fleet.identity.authority import Authority

_LOG = logging.getLogger(__name__)
_FOREIGN_LIST = (
    "%s had a revocation list that is not in %s, and has this one now: was the folder restored "
    "from a backup? Revoke again whoever was revoked since"
)


async def look_after(device: str, seen: Seen, channel: grpc.aio.Channel) -> None:
    """The newest revocation list, and a new identity where the present one soon expires. What
    fails here is said and tried again with the next connection. A host without the authority can
    only say what soon expires."""
    soon = soon_expires(seen)
    if not fleet_folder().is_authority:
        if soon:
            note_device(device, seen)
        return
    try:
        if await _is_behind(device, channel):
            await tell_revocations(device, channel)
        if soon:
            await renew(device, channel)
            _LOG.warning("%s: its identity would soon expire and was renewed", device)
    except (TrimtabError, DeviceUnreachable, UserError, OSError) as error:
        _LOG.warning("%s: its identity could not be looked after: %s", device, error)
        if soon:
            note_device(device, seen, not_renewed=str(error))


async def tell_revocations(device: str, channel: grpc.aio.Channel) -> None:
    """Raises TrimtabError, DeviceUnreachable."""
    from trimtab.fleet.identity.authority import open_authority

    authority = open_authority(fleet_folder())
    client = IdentityClient(device, channel)
    number = await _bring(
        client, authority, lambda: client.update_revocations(authority.revocations)
    )
    authority.note_told(device, number)


async def renew(device: str, channel: grpc.aio.Channel) -> None:
    """A new key and certificate. Raises TrimtabError, DeviceUnreachable."""
    from trimtab.fleet.identity.authority import open_authority

    authority = open_authority(fleet_folder())
    bundle = authority.issue("device", authority.register.spelled(device))
    client = IdentityClient(device, channel)

    async def install() -> None:
        await client.install(replace(bundle, revocations=authority.revocations).pem())

    authority.note_told(device, await _bring(client, authority, install))


async def _is_behind(device: str, channel: grpc.aio.Channel) -> bool:
    """What was told counts no more once the device was set up anew, and its own number does not
    tell which list it is where this folder was restored from a backup."""
    register = register_file(fleet_folder().register).read()
    present = (await IdentityClient(device, channel).identity()).revocation_number
    return min(present, register.told.get(device, 1)) < register.list_number


async def _bring(
    client: IdentityClient, authority: Authority, bring: Callable[[], Awaitable[object]]
) -> int:
    """Once more under a higher number where the device has a list that this folder knows not.
    Returns the list's number: as it was before the list was read, for another process may make
    a newer one meanwhile."""
    number = authority.register.list_number
    try:
        await bring()
    except IdentityInvalid as refused:
        # Whatever else it refuses would not be taken under another number either.
        if "revocation_number" not in refused.metadata:
            raise
        present = (await client.identity()).revocation_number
        if not authority.renumber_list(present):
            raise
        number = authority.register.list_number
        await bring()
        _LOG.warning(_FOREIGN_LIST, client.device, fleet_folder().path)
    return number
