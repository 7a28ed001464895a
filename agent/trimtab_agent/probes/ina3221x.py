"""Power rails of a Jetson with a kernel of JetPack 4 (Linux 4.9), which has no hwmon for them.

NVIDIA's driver tells ``rail_name_N`` and ``in_powerN_input`` in milliwatt (Jetson Linux Developer
Guide, "Software-Based Power Consumption Modeling").
"""

from __future__ import annotations

from pathlib import Path

from trimtab_agent.probes.base import Probe, Sensor
from trimtab_agent.probes.board_rails import NOT_CONNECTED, board_rail
from trimtab_agent.probes.own_roles import OwnRoles, read_own_roles
from trimtab_agent.probes.sysfs import (
    SysfsSensor,
    UnavailableSensor,
    folders,
    read_int,
    read_text,
)
from trimtab_agent.records import SensorInfo

_DRIVER = "sys/bus/i2c/drivers/ina3221x"


class Ina3221xProbe(Probe):
    name = "ina3221x"
    looks_for = "ina3221x of JetPack 4"

    def discover(self, root: Path) -> list[Sensor]:
        own = read_own_roles(root)
        return [
            _sensor(root, device, file, label, own)
            for device in folders(root / _DRIVER, "*/iio:device*")
            for file in folders(device, "in_power*_input")
            if (label := _label(device, file)) != NOT_CONNECTED and read_int(file) is not None
        ]


def _label(device: Path, file: Path) -> str:
    number = file.name.removeprefix("in_power").removesuffix("_input")
    return read_text(device / f"rail_name_{number}") or f"power{number}"


def _sensor(root: Path, device: Path, file: Path, label: str, own: OwnRoles) -> Sensor:
    rail = board_rail(root, label)
    info = SensorInfo(
        name=f"ina3221x/{device.parent.name}/{file.name}",
        unit="mW",
        scope=f"ina3221 {label}",
        kind="instantaneous",
        sample_period_ns=0,
        role=rail.role,
    )
    info = own.applied(info, rail.covers)
    return UnavailableSensor(info) if info.unavailable_reason else SysfsSensor(info, file, 1.0)
