"""``trimtab devices top``: the fleet, live."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live

from trimtab.campaign.selected_devices import find_devices, local_agent_state
from trimtab.cli.errors import EXIT_DONE, EXIT_FAILED
from trimtab.cli.measuring import output_console, print_json
from trimtab.fleet.inventory import home_inventory
from trimtab.fleet.inventory_device import InventoryDevice
from trimtab.fleet.inventory_selection import Selection
from trimtab.fleet.live import Seen, follow, look_once
from trimtab.fleet.open_files import allow_open_files
from trimtab.fleet.telemetry import live_period_s
from trimtab.records import UserError
from trimtab.report.device_status import fleet_table, line_of_seen, seen_row

_DRAW_S = 0.5


@click.command()
@click.argument("selectors", nargs=-1, metavar="[SELECTOR]...")
@click.option("--once", is_flag=True, help="Look once and end; exit code 3 where one is silent.")
@click.option(
    "--format",
    "output",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="json: with --once.",
)
def top(selectors: tuple[str, ...], once: bool, output: str) -> int:
    """Watch the fleet: who holds what, what it measures, how warm it is; q or Ctrl-C ends.

    Each second, of all devices or those that are selected; of local only where it is named (its
    agent would keep others from measuring here). Where standard output is no terminal: a line for
    every change.

    \b
    Examples:
      trimtab devices top
      trimtab devices top label:kind=pi5 --once --format json
    """
    if output == "json" and not once:
        raise UserError("--format json is of one look", "add --once")
    selection, state = _chosen(selectors, silent_will_do=once), local_agent_state()
    devices = selection.devices
    allow_open_files(len(devices))
    if once:
        code = _look(devices, state, output)
        return EXIT_FAILED if selection.silent else code
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_watch(devices, state, output_console()))
    return EXIT_DONE


def _chosen(selectors: tuple[str, ...], *, silent_will_do: bool) -> Selection:
    known = home_inventory().devices()
    if not selectors and all(device.is_local for device in known):
        raise UserError(
            "no device is known but local", "trimtab devices add NAME ADDRESS, or name local"
        )
    return find_devices(selectors or ("all",), silent_will_do=silent_will_do, local_if_named=True)


def _look(devices: tuple[InventoryDevice, ...], state: Path, output: str) -> int:
    async def look() -> list[Seen]:
        return await asyncio.gather(*(look_once(device, state) for device in devices))

    seen = asyncio.run(look())
    if output == "json":
        print_json({"schema": "trimtab.top/1", "devices": [seen_row(one) for one in seen]})
    else:
        output_console().print(fleet_table({one.device: one for one in seen}))
    return EXIT_FAILED if any(one.problem for one in seen) else EXIT_DONE


async def _watch(devices: tuple[InventoryDevice, ...], state: Path, console: Console) -> None:
    if console.is_terminal:
        await _watch_on_terminal(devices, state, console)
        return
    lines: dict[str, str] = {}

    def tell(seen: Seen) -> None:
        line = line_of_seen(seen)
        if lines.get(seen.device) != line:
            lines[seen.device] = line
            click.echo(line)

    period_s = live_period_s(len(devices))
    await asyncio.gather(*(follow(device, state, tell, period_s) for device in devices))


async def _watch_on_terminal(
    devices: tuple[InventoryDevice, ...], state: Path, console: Console
) -> None:
    seen = {device.name: Seen(device.name) for device in devices}
    ended = asyncio.Event()

    def take(one: Seen) -> None:
        seen[one.device] = one

    period_s = live_period_s(len(devices))
    following = [asyncio.ensure_future(follow(each, state, take, period_s)) for each in devices]
    try:
        with _keys(ended), Live(console=console, auto_refresh=False, screen=True) as live:
            while not ended.is_set():
                live.update(fleet_table(seen), refresh=True)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(ended.wait(), _DRAW_S)
    finally:
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)


@contextlib.contextmanager
def _keys(ended: asyncio.Event) -> Iterator[None]:
    """``q`` sets it; the terminal is left as it was."""
    if not sys.stdin.isatty():
        yield
        return
    import termios
    import tty

    loop, stdin = asyncio.get_running_loop(), sys.stdin.fileno()
    before = termios.tcgetattr(stdin)

    def read() -> None:
        if os.read(stdin, 1) in (b"q", b"Q", b""):
            ended.set()
            loop.remove_reader(stdin)

    tty.setcbreak(stdin)
    loop.add_reader(stdin, read)
    try:
        yield
    finally:
        loop.remove_reader(stdin)
        termios.tcsetattr(stdin, termios.TCSADRAIN, before)
