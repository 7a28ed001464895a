"""``trimtab devices list``: which devices there are, and what each does now."""

from __future__ import annotations

import asyncio
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from trimtab.campaign.selected_devices import local_agent_state, select_devices
from trimtab.cli.errors import EXIT_DONE
from trimtab.cli.measuring import output_console, print_json
from trimtab.fleet.errors import NoAnswer
from trimtab.fleet.inventory_device import InventoryDevice
from trimtab.fleet.status import Answer, DeviceStatus, ask_status
from trimtab.report.device_status import doing_text, holder_text


@click.command("list")
@click.argument("selectors", nargs=-1, metavar="[SELECTOR]...")
@click.option(
    "--format", "output", type=click.Choice(["table", "json"]), default="table", show_default=True
)
def list_devices(selectors: tuple[str, ...], output: str) -> int:
    """List the known devices, whether their agents answer, and what they do.

    \b
    Examples:
      trimtab devices list
      trimtab devices list 'label:kind=pi5 and memory>=4GB'
    """
    chosen = select_devices(selectors or ("all",))
    answers = asyncio.run(ask_status(chosen, local_agent_state()))
    rows = [_row(device, answers[device.name]) for device in chosen]
    if output == "json":
        print_json({"schema": "trimtab.devices/1", "devices": rows})
        return EXIT_DONE
    table = Table("device", "address", "labels", "status", "what it is")
    for row in rows:
        labels = " ".join(f"{key}={value}" for key, value in row["labels"].items())
        does = "; ".join(filter(None, (row["status"], row["doing"], row["held_by"])))
        status = f"{does} ({row['advice']})" if row["advice"] else does
        shown = (row["name"], row["address"], labels, status, row["description"])
        table.add_row(*map(escape, shown))
    output_console().print(table)
    return EXIT_DONE


def _row(device: InventoryDevice, answer: Answer | NoAnswer) -> dict[str, Any]:
    silent = answer if isinstance(answer, NoAnswer) else None
    told = None if isinstance(answer, NoAnswer) else answer.status
    return {
        "name": device.name,
        "address": device.address or "started on demand",
        "labels": dict(device.labels),
        "status": silent.reason if silent else "answers",
        "advice": silent.advice if silent else None,
        "description": "" if isinstance(answer, NoAnswer) else answer.info.description,
        **_status_columns(told),
    }


def _status_columns(status: DeviceStatus | None) -> dict[str, Any]:
    """All null where the device does not tell."""
    if status is None:
        return {"holder": None, "waiting": None, "job_id": None, "doing": None, "held_by": None}
    running = status.running
    return {
        "holder": status.holder,
        "waiting": list(status.waiting),
        "job_id": running.job_id if running else None,
        "doing": doing_text(status),
        "held_by": holder_text(status),
    }
