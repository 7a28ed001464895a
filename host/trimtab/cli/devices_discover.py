"""``trimtab devices discover``: agents on the local network."""

from __future__ import annotations

import asyncio

import click
from rich.markup import escape
from rich.table import Table

from trimtab.cli.errors import EXIT_DONE
from trimtab.cli.measuring import output_console
from trimtab.fleet.discover import Found, discover
from trimtab.fleet.inventory import Inventory, home_inventory
from trimtab.records import UserError

_NOTHING = (
    "no agent was heard. mDNS stays within one subnet and many wireless networks drop it; agents "
    "tell of themselves only with `serve --announce`. By address: trimtab devices add NAME HOST"
)


@click.command("discover")
@click.option(
    "--seconds", type=click.FloatRange(0.5, 60), default=3.0, show_default=True, help="To listen."
)
@click.option("--add", "adding", is_flag=True, help="Add those that are not known.")
def discover_devices(seconds: float, adding: bool) -> int:
    """Find agents on the local network (trimtab[discover]); they must run `serve --announce`.

    What an agent says of itself proves nothing: a device is trusted by its certificate alone.

    \b
    Examples:
      trimtab devices discover
      trimtab devices discover --seconds 10 --add
    """
    found = asyncio.run(discover(seconds))
    if not found:
        click.echo(_NOTHING, err=True)
        return EXIT_DONE
    inventory = home_inventory()
    table = Table("device", "address", "agent", "device id", "in the inventory")
    for one in found:
        name = one.name if one.has_usable_name else repr(one.name)
        shown = (name, one.address, one.version, one.device_id, _place(inventory, one, adding))
        table.add_row(*map(escape, shown))
    output_console().print(table)
    return EXIT_DONE


def _place(inventory: Inventory, found: Found, adding: bool) -> str:
    """A command is offered only with a name that may be pasted into a shell."""
    if not found.has_usable_name:
        return f"no: it tells no usable name; give it one: trimtab devices add NAME {found.address}"
    for device in inventory.devices():
        if device.name == found.name:
            same = device.address.removeprefix("tls://") in found.places
            return "yes" if same else f"yes, at {device.address or 'this machine'}"
    if not adding:
        return f"no: trimtab devices add {found.name} {found.address}"
    try:
        inventory.add(found.name, found.address, {})
    except UserError as error:
        return f"no: {error.message}"
    return "added"
