"""The fleet's certificate authority: what it issues, revokes and remembers."""

from __future__ import annotations

import re
import secrets
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache

from trimtab.fleet.identity.bundle import Bundle, with_header, write_private
from trimtab.fleet.identity.certificates import (
    LEAF_DAYS,
    Role,
    Signer,
    certificate_pem,
    key_pem,
    new_authority,
    new_certificate,
    new_revocations,
    read_signer,
)
from trimtab.fleet.identity.expiry import soon_expires
from trimtab.fleet.identity.folder import FleetFolder, Stamp, stamp
from trimtab.fleet.identity.own import read_own
from trimtab.fleet.identity.register import Entry, Register
from trimtab.fleet.identity.register_file import register_file
from trimtab.fleet.inventory_device import LOCAL
from trimtab.fleet.inventory_file import may_be_added
from trimtab.fleet.selectors import RESERVED
from trimtab.records import UserError

# As in the inventory, and what TLS takes for a name: at most 63 characters, no address.
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.)){0,61}[A-Za-z0-9]|[A-Za-z0-9]")
_ADDRESS = re.compile(r"[0-9.]+")
_OWN_NAME = "host"
# No backup lags that far behind: a device that says so may not drive the numbers up.
_MOST_BEHIND = 10_000


class Authority:
    """Every change is on the disk before it is returned. Made by :func:`open_authority`."""

    def __init__(self, folder: FleetFolder, signer: Signer) -> None:
        self._folder = folder
        self._signer = signer
        self._file = register_file(folder.register)

    @property
    def register(self) -> Register:
        return self._file.read()

    @property
    def revocations(self) -> bytes:
        return self._folder.revocations.read_bytes()

    def issue(self, role: Role, name: str, days: float = LEAF_DAYS) -> Bundle:
        """A new key and certificate. Raises UserError where the name is this host's own, another
        role's, there already in another spelling, or a device's that no inventory takes."""
        if not _NAME.fullmatch(name) or ("." in name and _ADDRESS.fullmatch(name)):
            raise UserError(
                f"not a name in a fleet: {name!r}",
                "letters, digits, dots, dashes, at most 63, no IP address: "
                "the name is what `trimtab devices add` gets",
            )
        if role == "device" and not may_be_added(name):
            raise UserError(
                f"not a name for a device: {name}",
                f"`{LOCAL}` is this machine, and {', '.join(RESERVED)} are words of selectors",
            )
        with self._folder.locked():
            register = self.register
            _check_free(register, role, name)
            return self._issued(register, role, name, days)

    def revoke(self, name: str) -> Register:
        """Raises UserError for a name that was never issued, or is this host's own."""
        with self._folder.locked():
            register = self.register
            if name == _OWN_NAME:
                raise UserError(
                    "this host keeps the authority and cannot revoke itself",
                    "revoke the others, or begin a new fleet in another TRIMTAB_HOME",
                )
            if not any(each.name == name and not each.revoked for each in register.entries):
                known = ", ".join(sorted({each.name for each in register.entries}))
                raise UserError(f"nothing in force is named {name}", f"issued so far: {known}")
            register = register.revoke(name)
            self._put_in_force(register)
            return register

    def renumber_list(self, above: int) -> bool:
        """The present list under a number above a device's, which takes newer ones alone. False:
        no list of this fleet can have that number."""
        with self._folder.locked():
            register = self.register
            if above > register.list_number + _MOST_BEHIND:
                return False
            if above >= register.list_number:
                self._put_in_force(replace(register, list_number=above + 1))
            return True

    def note_told(self, device: str, number: int) -> None:
        """The device has the list of that number."""
        if self.register.told.get(device) != number:
            with self._folder.locked():
                self._file.note_told(device, number)

    def renew_host(self) -> None:
        """Where under a third of its own identity's life is left."""
        if self._host_is_old():
            with self._folder.locked():
                if self._host_is_old():  # and no other process was faster
                    self._write_host(self.register, new=True)

    def _host_is_old(self) -> bool:
        own = read_own(self._folder)
        return own is None or soon_expires(own.whose)

    def _issued(self, register: Register, role: Role, name: str, days: float) -> Bundle:
        made = new_certificate(self._signer, register.fleet_id, role, name, days)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        entry = Entry(name, role, str(made.serial), made.not_after.isoformat(), now)
        self._file.add(entry)
        authority = certificate_pem(self._signer.certificate)
        return Bundle(made.key, made.certificate, authority, self.revocations)

    def _write_host(self, register: Register, new: bool = False) -> None:
        before = self._folder.host_bundle()
        if new or before is None:
            bundle = self._issued(register, "operator", _OWN_NAME, LEAF_DAYS)
        else:
            bundle = Bundle(before.key, before.certificate, before.authority, self.revocations)
        data = with_header(bundle, register.fleet_id, "operator", _OWN_NAME)
        write_private(self._folder.host, data)

    def _put_in_force(self, register: Register) -> None:
        register = register.without_expired()
        self._write_list(register)
        self._file.write(register)
        self._write_host(register)

    def _write_list(self, register: Register) -> None:
        made = new_revocations(self._signer, register.list_number, register.revoked_serials())
        write_private(self._folder.revocations, made)


def _check_free(register: Register, role: Role, name: str) -> None:
    """Raises UserError where the name is not to be had for that role."""
    other = f"choose another name for the {role}"
    if name.casefold() == _OWN_NAME:  # nothing of that name can be revoked
        raise UserError(f"{name} is what the host with the fleet's authority is called", other)
    spelled = register.spelled(name)
    if spelled != name:
        text = f"{spelled} is in this fleet, and TLS takes {name} for the same"
        raise UserError(text, f"write {spelled}, or {other}")
    newest = register.newest(name)
    if newest is not None and newest.role != role:
        raise UserError(f"{name} has the role {newest.role} in this fleet", other)


def open_authority(folder: FleetFolder) -> Authority:
    """Made on first use. Raises UserError on a host that has joined another's fleet."""
    with folder.locked():
        if not folder.is_authority:
            if folder.host.exists():
                raise UserError(
                    "this host belongs to a fleet whose authority is on another host",
                    "run the command there; `trimtab fleet show` tells which fleet it is",
                )
            _create(folder)
    try:
        signer = _signer(folder, stamp(folder.authority_key), stamp(folder.authority))
    except (ValueError, TypeError) as error:
        raise UserError(
            f"the authority in {folder.path} cannot be read: {error}",
            "restore the folder from a backup",
        ) from error
    authority = Authority(folder, signer)
    authority.renew_host()
    return authority


@lru_cache(maxsize=4)
def _signer(folder: FleetFolder, *_stamps: Stamp | None) -> Signer:
    return read_signer(folder.authority_key.read_bytes(), folder.authority.read_bytes())


def _create(folder: FleetFolder) -> None:
    """The key last: with it the folder counts as an authority."""
    fleet_id = secrets.token_hex(8)
    signer = new_authority(fleet_id)
    register = Register(fleet_id)
    write_private(folder.authority, certificate_pem(signer.certificate))
    write_private(folder.revocations, new_revocations(signer, register.list_number, ()))
    register_file(folder.register).write(register)
    write_private(folder.authority_key, key_pem(signer.key))
