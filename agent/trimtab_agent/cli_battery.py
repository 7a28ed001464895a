"""``trimtab-agent calibrate-battery``."""

from __future__ import annotations

from pathlib import Path

import click

from trimtab_agent.cli_parts import ROOT, refuse
from trimtab_agent.config import default_state_dir


@click.command("calibrate-battery")
@click.option(
    "--duration",
    "duration_s",
    type=click.FloatRange(min=30),
    default=300.0,
    show_default=True,
    help="Seconds to watch the battery; longer where its counter moves seldom.",
)
@ROOT
def calibrate_battery(duration_s: float, root: Path) -> None:
    """Find out in which unit, and with which sign, this device's battery tells its current.

    Unplug it first, and let it do something. The current's integral is compared with what the
    battery's own counter lost; what comes of it is kept on the device, where agents find it.

    \b
    Example:
      trimtab-agent calibrate-battery --duration 600
    """
    from trimtab_agent.probes.battery_calibration import FILE_NAME, CalibrationError
    from trimtab_agent.probes.battery_session import calibrate_battery as calibrate

    store = default_state_dir() / FILE_NAME
    click.echo(f"watching the battery for {duration_s:g} s; keep it unplugged", err=True)
    try:
        store.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        name, found = calibrate(root, store, duration_s)
    except (CalibrationError, OSError) as error:
        refuse(error)
    sign = "positive" if found.discharge_sign > 0 else "negative"
    told = f"current in {found.current_unit}, {sign} while discharging"
    click.echo(f"{name}: {told}; kept in {store}")
