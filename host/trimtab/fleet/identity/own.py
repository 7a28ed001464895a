"""This host's own identity, as it is now."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from trimtab.fleet.identity import expiry
from trimtab.fleet.identity.bundle import Bundle, read_bundle
from trimtab.fleet.identity.folder import FleetFolder, Stamp, fleet_folder, stamp
from trimtab.records import UserError

if TYPE_CHECKING:
    from trimtab.fleet.identity.certificates import Whose


@dataclass(frozen=True)
class OwnIdentity:
    bundle: Bundle
    whose: Whose


def read_own(folder: FleetFolder) -> OwnIdentity | None:
    """None where this host belongs to no fleet. Raises UserError for a broken one."""
    now = stamp(folder.host)
    return None if now is None else _read(folder, now)


def present_own() -> OwnIdentity | None:
    """As :func:`read_own`, renewed in time where the authority is here; elsewhere the command says
    at its end that it soon expires."""
    folder = fleet_folder()
    own = read_own(folder)
    if folder.is_authority and (own is None or expiry.soon_expires(own.whose)):
        _renew(folder, own)
        own = read_own(folder)
    elif own is not None and expiry.soon_expires(own.whose):
        expiry.note_own(own.whose)
    return own


def _renew(folder: FleetFolder, own: OwnIdentity | None) -> None:
    """What this host has still serves where that fails."""
    from trimtab.fleet.identity.authority import open_authority

    try:
        open_authority(folder)
    except OSError as error:
        if own is None:
            raise
        expiry.note_own(own.whose, str(error))


@lru_cache(maxsize=4)
def _read(folder: FleetFolder, _stamp: Stamp) -> OwnIdentity:
    from trimtab.fleet.identity.certificates import whose

    bundle = read_bundle(folder.host)
    try:
        return OwnIdentity(bundle, whose(bundle.certificate))
    except ValueError as error:
        again = "join again: trimtab fleet join FILE"
        advice = "restore it from a backup" if folder.is_authority else again
        raise UserError(f"{folder.host} cannot be used: {error}", advice) from error
