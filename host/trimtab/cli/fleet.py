"""``trimtab fleet``: who belongs to the fleet, and until when."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
from rich.table import Table

from trimtab.cli.errors import EXIT_DONE, EXIT_FAILED
from trimtab.cli.measuring import output_console
from trimtab.fleet.address import DEFAULT_PORT, tls_place
from trimtab.fleet.identity.folder import fleet_folder
from trimtab.fleet.inventory import InventoryDevice, home_inventory
from trimtab.records import UserError

_OUT = click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="[default: NAME.identity]"
)


@click.group()
def fleet() -> None:
    """Identities: devices, operators (may measure), viewers (may look); revoke and renew them.

    The first identity makes the fleet's own certificate authority, on this host.
    """


@fleet.command()
@click.argument("name")
@_OUT
def identity(name: str, out: Path | None) -> int:
    """Make an identity for the device NAME: one file to copy there.

    NAME is what `trimtab devices add` calls it; the address may change, the name may not.

    \b
    Example: trimtab fleet identity pi5
    """
    from trimtab.fleet.identity.making import make_identity

    path = make_identity("device", name, out)
    click.echo(f"{path} is the identity of the device {name}; it is secret. Next:", err=True)
    click.echo(f"  scp -p {path} {name}:", err=True)
    click.echo(f"  ssh {name} chmod 600 {path.name}", err=True)
    serve = f"trimtab-agent serve --identity {path.name} --listen 0.0.0.0:{DEFAULT_PORT}"
    click.echo(f"  ssh {name} {serve}", err=True)
    click.echo(f"  trimtab devices add {name} ADDRESS", err=True)
    return EXIT_DONE


@fleet.command()
@click.argument("name")
@_OUT
def operator(name: str, out: Path | None) -> int:
    """Make an identity for another host that may measure.

    \b
    Example: trimtab fleet operator ann
    """
    return _person("operator", name, out)


@fleet.command()
@click.argument("name")
@_OUT
def viewer(name: str, out: Path | None) -> int:
    """Make an identity for another host that may look, and no more.

    \b
    Example: trimtab fleet viewer dashboard
    """
    return _person("viewer", name, out)


@fleet.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def join(file: Path) -> int:
    """Take the identity in FILE for this host.

    \b
    Example: trimtab fleet join ann.identity
    """
    from trimtab.fleet.identity.making import join_fleet

    own = join_fleet(file)
    text = f"this host is {own.name} ({own.role}) in fleet {own.fleet_id}"
    click.echo(f"{text} until {own.not_after:%Y-%m-%d}", err=True)
    return EXIT_DONE


@fleet.command()
def show() -> int:
    """Which fleet this host belongs to, as whom, and until when.

    \b
    Example: trimtab fleet show
    """
    from trimtab.fleet.identity.making import own_identity

    own = own_identity()
    click.echo(f"fleet      {own.fleet_id}")
    click.echo(f"this host  {own.name} ({own.role}) until {own.not_after:%Y-%m-%d}")
    where = "here" if fleet_folder().is_authority else "on another host"
    click.echo(f"authority  {where}")
    click.echo(f"folder     {fleet_folder().path}")
    return EXIT_DONE


@fleet.command("list")
def list_identities() -> int:
    """Who has an identity of this fleet, as what, and until when.

    \b
    Example: trimtab fleet list
    """
    from trimtab.fleet.identity.making import present_authority

    table = Table("name", "role", "until", "state")
    for entry in present_authority().register.entries:
        table.add_row(entry.name, entry.role, entry.not_after[:10], entry.state())
    output_console().print(table)
    return EXIT_DONE


@fleet.command()
@click.argument("name")
def revoke(name: str) -> int:
    """Let NAME in no more, on every device that can be reached; the others learn of it later.

    \b
    Example: trimtab fleet revoke ann
    """
    from trimtab.fleet.identity.making import present_authority

    register = present_authority().revoke(name)
    click.echo(f"{name} is revoked (list {register.list_number})", err=True)
    return _send_revocations(name)


@fleet.command()
def update() -> int:
    """Send the newest revocation list to every device of the inventory.

    \b
    Example: trimtab fleet update
    """
    return _send_revocations("")


@fleet.command()
@click.argument("selectors", nargs=-1, metavar="[SELECTOR]...")
def rotate(selectors: tuple[str, ...]) -> int:
    """Give devices a new key and certificate, over the wire; all of them without SELECTOR.

    Needed seldom: what soon expires is renewed whenever this host connects.

    \b
    Example: trimtab fleet rotate label:kind=pi5
    """
    from trimtab.campaign.selected_devices import select_devices
    from trimtab.fleet.identity.making import present_authority
    from trimtab.fleet.identity.visits import rotate_all

    present_authority()
    devices = _tls_devices(select_devices(selectors or ("all",)))
    failures = asyncio.run(rotate_all(devices))
    return _told(devices, failures, "has a new identity")


def _person(role: str, name: str, out: Path | None) -> int:
    from trimtab.fleet.identity.making import make_identity

    path = make_identity("viewer" if role == "viewer" else "operator", name, out)
    click.echo(f"{path} is the identity of the {role} {name}; it is secret. Next:", err=True)
    click.echo(f"  on the other host: trimtab fleet join {path.name}", err=True)
    return EXIT_DONE


def _send_revocations(revoked: str) -> int:
    """A revoked device itself is not asked: nobody trusts it any more."""
    from trimtab.fleet.identity.making import present_authority
    from trimtab.fleet.identity.visits import tell_all

    present_authority()
    known = [each for each in home_inventory().devices() if tls_place(each.address or "unix:")]
    devices = [each for each in known if each.name != revoked]
    failures = asyncio.run(tell_all(devices))
    code = _told(devices, failures, "has the newest revocation list")
    if failures:
        click.echo("those learn of it when this host next connects, or by", err=True)
        click.echo("  trimtab fleet update", err=True)
    return code


def _told(devices: list[InventoryDevice], failures: dict[str, str], done: str) -> int:
    for device in devices:
        click.echo(f"{device.name}: {failures.get(device.name, done)}", err=True)
    return EXIT_FAILED if failures else EXIT_DONE


def _tls_devices(chosen: tuple[InventoryDevice, ...]) -> list[InventoryDevice]:
    """Raises UserError where there is none."""
    found = [device for device in chosen if tls_place(device.address or "unix:")]
    if not found:
        raise UserError(
            "none of these devices is reached with TLS", "trimtab devices add NAME HOST"
        )
    return found
