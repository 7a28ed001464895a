"""``trimtab devices``: the inventory, and what a device is."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict

import click
from rich.markup import escape
from rich.table import Table
from trimtab_protos.errors import TrimtabError

from trimtab.campaign.selected_devices import local_agent_state, select_devices, select_one
from trimtab.cli.devices_discover import discover_devices
from trimtab.cli.devices_doctor import doctor
from trimtab.cli.devices_list import list_devices
from trimtab.cli.devices_top import top
from trimtab.cli.errors import EXIT_DONE
from trimtab.cli.measuring import output_console
from trimtab.fleet.ask import ask_device
from trimtab.fleet.errors import DeviceUnreachable, no_answer
from trimtab.fleet.inventory import home_inventory, parse_label
from trimtab.fleet.jobs import DeviceInfo
from trimtab.records import DevicePower, PowerModel, UserError

_FORMAT = click.option(
    "--format", "output", type=click.Choice(["table", "json"]), default="table", show_default=True
)


@click.group()
def devices() -> None:
    """The devices you measure on: find, add, label and list them; watch and examine them."""


devices.add_command(list_devices)
devices.add_command(top)
devices.add_command(doctor)
devices.add_command(discover_devices)


@devices.command()
@click.argument("name")
@click.argument("address")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="For --device label:…")
def add(name: str, address: str, labels: tuple[str, ...]) -> int:
    """Remember the agent at ADDRESS as NAME.

    HOST or HOST:PORT is reached with TLS (port 7433 where none is given), and the device must have
    the identity that `trimtab fleet identity NAME` made. unix:PATH and 127.0.0.1:PORT are this
    machine's own, in the clear; tls://127.0.0.1:PORT is with TLS. Without an identity a board is
    reached through SSH: forward its agent's socket, then add the forwarded one.

    \b
    Examples:
      trimtab devices add pi5 192.168.1.20
      ssh -NL /tmp/pi5.sock:/run/trimtab-agent/agent.sock pi@raspberrypi &
      trimtab devices add pi5 unix:/tmp/pi5.sock --label kind=pi5
    """
    device = home_inventory().add(name, address, dict(parse_label(label) for label in labels))
    try:
        told = asyncio.run(ask_device(device, local_agent_state()))
    except (DeviceUnreachable, TrimtabError) as error:
        why = no_answer(error)
        click.echo(f"added {name}; but {why.reason}", err=True)
        click.echo(f"  {why.advice}", err=True)
    else:
        click.echo(f"added {name}: {told.description}", err=True)
    return EXIT_DONE


@devices.command()
@click.argument("selector")
def remove(selector: str) -> int:
    """Forget the device that SELECTOR names, one at a time; its runs stay.

    \b
    Example: trimtab devices remove pi5
    """
    device = select_one((selector,), "remove takes one at a time: name it")
    home_inventory().remove(device.name)
    return EXIT_DONE


@devices.command()
@click.argument("selector")
@click.option("--battery-wh", type=float, help="What its battery holds, in watt-hours.")
@click.option("--idle-w", type=float, help="Watts of the whole device with nothing to do.")
@click.option("--busy-core-w", type=float, help="Watts that each busy processor core adds.")
@click.option("--clear", is_flag=True, help="Forget what was given before.")
def power(
    selector: str,
    battery_wh: float | None,
    idle_w: float | None,
    busy_core_w: float | None,
    clear: bool,
) -> int:
    """Tell of the battery of the devices that SELECTOR names, and of their power without a sensor.

    With a battery, results say how many hours it lasts and what a thousand inferences take of it.
    With watts idle and watts per busy core, energy and power are estimates, and are called so.

    \b
    Examples:
      trimtab devices power pi4 --idle-w 2.7 --busy-core-w 0.9
      trimtab devices power label:kind=phone --battery-wh 17.3
    """
    if (idle_w is None) != (busy_core_w is None):
        message = "a power model is watts idle and watts per busy core"
        raise UserError(message, "give both --idle-w and --busy-core-w")
    given = None if idle_w is None or busy_core_w is None else PowerModel(idle_w, busy_core_w)
    chosen, inventory = select_devices((selector,)), home_inventory()
    for before in chosen:
        known = DevicePower() if clear else before.power
        battery = known.battery_wh if battery_wh is None else battery_wh
        device = inventory.set_power(before.name, DevicePower(battery, given or known.model))
        click.echo(f"{device.name}: {_power_text(device.power)}", err=True)
    return EXIT_DONE


@devices.command()
@click.argument("selector")
@click.argument("changes", nargs=-1, required=True, metavar="KEY=VALUE|KEY-...")
def label(selector: str, changes: tuple[str, ...]) -> int:
    """Change the labels of the devices that SELECTOR names: KEY=VALUE sets one, KEY- removes it.

    \b
    Examples:
      trimtab devices label pi5 kind=pi5 room=lab old-
      trimtab devices label name:pi* room=lab
    """
    chosen, inventory = select_devices((selector,)), home_inventory()
    # The local device has no labels: where it is one of several it is passed over.
    for one in [each for each in chosen if not each.is_local] or chosen:
        device = inventory.set_labels(one.name, changes)
        labels = " ".join(f"{key}={value}" for key, value in device.labels.items())
        click.echo(f"{device.name}: {labels or 'no labels'}", err=True)
    return EXIT_DONE


@devices.command()
@click.argument("selector", default="local")
@_FORMAT
def info(selector: str, output: str) -> int:
    """What a device is, which runtimes and sensors it has, and why not the others.

    \b
    Example: trimtab devices info local
    """
    device = select_one((selector,), "info is of one: name it")
    answer = asyncio.run(ask_device(device, local_agent_state()))
    if output == "json":
        content = {"schema": "trimtab.device/1", "name": device.name, **asdict(answer)}
        click.echo(json.dumps(content, indent=2))
        return EXIT_DONE
    _print_info(device.name, answer)
    return EXIT_DONE


def _print_info(name: str, info: DeviceInfo) -> None:
    title = escape(f"{name}: {info.description}")
    facts = Table(title=title, show_header=False, title_justify="left")
    for key in ("device_id", "board_model", "soc", "cpu_model", "machine_arch", "os_release"):
        facts.add_row(key, escape(str(getattr(info, key))) or "not told by the firmware")
    for key in ("kernel_release", "python_version", "agent_version", "boot_id"):
        facts.add_row(key, escape(str(getattr(info, key))))
    facts.add_row("memory", f"{info.memory_bytes / 2**20:.0f} MiB")
    for key, value in (*info.hardware.items(), *info.tuning.items()):
        facts.add_row(escape(key), escape(value))
    abilities = Table("kind", "name", "state")
    for runtime in info.runtimes:
        usable = f"{runtime.package} {runtime.version}: {', '.join(runtime.accelerators)}"
        state = runtime.unavailable_reason or usable
        abilities.add_row("runtime", escape(runtime.name), escape(state))
    for sensor in info.sensors:
        usable = f"{sensor.unit}, {sensor.scope}"
        state = sensor.unavailable_reason or usable
        abilities.add_row("sensor", escape(sensor.name), escape(state))
    console = output_console()
    console.print(facts)
    console.print(abilities)


def _power_text(power: DevicePower) -> str:
    battery = f"a battery of {power.battery_wh:g} Wh" if power.battery_wh else "no battery given"
    if power.model is None:
        return f"{battery}, no power model"
    model = power.model
    return f"{battery}, {model.idle_w:g} W idle and {model.busy_core_w:g} W for each busy core"
