"""What a fleet's authority does in passing, with a device that it has just reached."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import grpc.aio
from trimtab_protos.errors import TrimtabError

from trimtab.fleet.errors import DeviceUnreachable
from trimtab.fleet.identity.folder import fleet_folder
from trimtab.fleet.identity.probe import Seen
from trimtab.fleet.identity.register import read_register
from trimtab.fleet.identity.remote import IdentityClient

_LOG = logging.getLogger(__name__)
_SHARE_LEFT = 1 / 3


def soon_expires(seen: Seen) -> bool:
    """Whether under a third of the certificate's life is left."""
    life = seen.not_after - seen.not_before
    return seen.not_after - datetime.now(UTC) < life * _SHARE_LEFT


async def look_after(device: str, seen: Seen, channel: grpc.aio.Channel) -> None:
    """The newest revocation list, and a new identity where the present one soon expires. What
    fails here is said and tried again with the next connection."""
    folder = fleet_folder()
    if not folder.is_authority:
        return
    register = read_register(folder.register)
    behind = register.told.get(device, 1) < register.list_number
    if not behind and not soon_expires(seen):
        return
    try:
        if behind:
            await tell_revocations(device, channel)
        if soon_expires(seen):
            await renew(device, channel)
            _LOG.warning("%s: its identity would soon expire and was renewed", device)
    except (TrimtabError, DeviceUnreachable) as error:
        _LOG.warning("%s: its identity could not be looked after: %s", device, error)


async def tell_revocations(device: str, channel: grpc.aio.Channel) -> None:
    """Raises TrimtabError, DeviceUnreachable."""
    from trimtab.fleet.identity.authority import open_authority

    authority = open_authority(fleet_folder())
    await IdentityClient(device, channel).update_revocations(authority.revocations)
    authority.note_told(device)


async def renew(device: str, channel: grpc.aio.Channel) -> None:
    """A new key and certificate. Raises TrimtabError, DeviceUnreachable."""
    from trimtab.fleet.identity.authority import open_authority

    authority = open_authority(fleet_folder())
    bundle = authority.issue("device", device)
    await IdentityClient(device, channel).install(bundle.pem())
    authority.note_told(device)
