"""Identities as files: made for others, taken by this host."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from trimtab.fleet.identity.authority import Authority, open_authority
from trimtab.fleet.identity.bundle import Bundle, read_bundle, with_header, write_private
from trimtab.fleet.identity.certificates import Role, Whose, check_pair, whose
from trimtab.fleet.identity.folder import NO_IDENTITY, fleet_folder
from trimtab.fleet.identity.own import present_own
from trimtab.records import UserError


def make_identity(role: Role, name: str, out: Path | None) -> Path:
    """The file, its owner's alone. Raises UserError where it is there already."""
    path = out or Path(f"{name}.identity")
    if path.exists():
        raise UserError(f"{path} is there already", "move it away, or give another --out")
    authority = open_authority(fleet_folder())
    bundle = authority.issue(role, name)
    write_private(path, with_header(bundle, authority.register.fleet_id, role, name))
    return path


def present_authority() -> Authority:
    """Raises UserError where this host keeps none."""
    folder = fleet_folder()
    if not folder.is_authority and not folder.host.exists():
        raise UserError("this host has no fleet yet", NO_IDENTITY)
    return open_authority(folder)


def join_fleet(file: Path) -> Whose:
    """Raises UserError for what is no person's identity, or on the authority's own host."""
    folder = fleet_folder()
    bundle = _readable_bundle(file)
    try:
        own = whose(bundle.certificate)
        check_pair(bundle.key, bundle.certificate)
    except ValueError as error:
        raise UserError(f"{file} cannot be used: {error}", "have it made again") from error
    if own.role == "device":
        raise UserError(
            f"{file} is the identity of the device {own.name}",
            "a host joins with what `trimtab fleet operator NAME` made",
        )
    if own.not_after < datetime.now(UTC):
        raise UserError(f"{file} expired on {own.not_after:%Y-%m-%d}", "have it made again")
    if folder.is_authority:
        raise UserError(
            "this host keeps a fleet's authority itself",
            "use another TRIMTAB_HOME to join a second fleet",
        )
    with folder.locked():
        write_private(folder.host, with_header(bundle, own.fleet_id, own.role, own.name))
    return own


def _readable_bundle(file: Path) -> Bundle:
    try:
        return read_bundle(file)
    except FileNotFoundError as error:
        made = "`trimtab fleet operator NAME` or `trimtab fleet viewer NAME`"
        where = "on the host that has the fleet's authority; copy it here"
        raise UserError(f"there is no file {file}", f"{made} makes it {where}") from error
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}", "check the file") from error


def own_identity() -> Whose:
    """Raises UserError where this host has none."""
    own = present_own()
    if own is None:
        raise UserError("this host belongs to no fleet", NO_IDENTITY)
    return own.whose
