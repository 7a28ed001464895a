"""Raspberry Pi 5 and its kin: the power chip's rails, by the firmware's ``vcgencmd``.

``vcgencmd pmic_read_adc`` prints one line a quantity, " VDD_CORE_A current(7)=0.75012000A" and
"VDD_CORE_V volt(15)=0.89745940V"; a rail is a pair of the same name. The input ("EXT5V_V") has a
voltage and no current: there is no total, only the sum of the rails.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from trimtab_agent.probes.base import Probe, Sensor, SensorError
from trimtab_agent.probes.board_rails import compatibles
from trimtab_agent.probes.commands import CommandError, Runner, run_command
from trimtab_agent.probes.sysfs import UnavailableSensor, read_text
from trimtab_agent.records import SensorInfo

_COMMAND = ("vcgencmd", "pmic_read_adc")
_WITH_RAILS = "brcm,bcm2712"  # Raspberry Pi 5, 500 and Compute Module 5
_MAKER = "Raspberry Pi"
_LINE = re.compile(r"\s*(\w+)_([AV])\s+(?:current|volt)\(\d+\)=(-?[\d.]+)[AV]\s*")
_MAX_AGE_S = 0.1
# Short, since the host tells the scope of every rail that it adds up.
_COVERS = "not in any rail: USB, fan, 5 V pins, the power chip's own losses"
_ADVICE = "the agent's user must be in the group video, and the package raspi-utils installed"


class VcgencmdProbe(Probe):
    name = "vcgencmd"
    looks_for = "vcgencmd pmic_read_adc"

    def __init__(self, run: Runner = run_command) -> None:
        self._run = run

    def discover(self, root: Path) -> list[Sensor]:
        if _WITH_RAILS not in compatibles(root):
            return []
        rails = _Rails(root, self._run)
        try:
            names = list(rails.fresh())
        except CommandError as error:
            return [UnavailableSensor(_info("pmic", f"{error} ({_ADVICE})"))]
        if not names:
            reason = "vcgencmd pmic_read_adc printed no rail with a current and a voltage"
            return [UnavailableSensor(_info("pmic", reason))]
        return [RailSensor(_info(name), name, rails) for name in names]

    def remark(self, root: Path) -> str:
        model = read_text(root / "proc/device-tree/model") or ""
        if not model.startswith(_MAKER) or _WITH_RAILS in compatibles(root):
            return ""
        return f"a {model} has no power sensor: measure at the plug with a meter"


@dataclass(eq=False)
class _Rails:
    """The rails' power in milliwatt. One call of the program serves each rail once."""

    root: Path
    run: Runner
    _left: dict[str, float] = field(default_factory=dict)
    _read_at: float = 0.0

    def fresh(self) -> Mapping[str, float]:
        """Raises CommandError."""
        self._left = parse_rails(self.run(self.root, _COMMAND))
        self._read_at = time.monotonic()
        return dict(self._left)

    def take(self, name: str) -> float | None:
        """Not twice the same reading; None where the rail is no longer told."""
        if name not in self._left or time.monotonic() - self._read_at > _MAX_AGE_S:
            self.fresh()
        return self._left.pop(name, None)


@dataclass(frozen=True)
class RailSensor(Sensor):
    info: SensorInfo
    rail: str
    rails: _Rails

    def read(self) -> float:
        try:
            value = self.rails.take(self.rail)
        except CommandError as error:
            raise SensorError(f"sensor {self.info.name}: {error}") from error
        if value is None:
            raise SensorError(f"sensor {self.info.name} is no longer told by vcgencmd")
        return value


def parse_rails(text: str) -> dict[str, float]:
    """Milliwatt of each rail that has both a current and a voltage, in the order of the text."""
    told: dict[str, dict[str, float]] = {}
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            continue
        try:
            told.setdefault(match[1], {})[match[2]] = float(match[3])
        except ValueError:  # "1.2.3"
            continue
    return {name: each["A"] * each["V"] * 1000 for name, each in told.items() if len(each) == 2}


def _info(rail: str, unavailable_reason: str = "") -> SensorInfo:
    return SensorInfo(
        name=f"vcgencmd/{rail}",
        unit="mW",
        scope=f"rail {rail}; {_COVERS}" if not unavailable_reason else "power chip",
        kind="instantaneous",
        sample_period_ns=0,
        unavailable_reason=unavailable_reason,
        role="addend",
    )
