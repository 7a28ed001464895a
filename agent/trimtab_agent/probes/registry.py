"""Probes by entry point (group ``trimtab.probes``); built-ins register like third parties."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from trimtab_agent.entry_points import EntryPoint, entry_points
from trimtab_agent.probes.base import Probe, Sensor
from trimtab_agent.records import SensorInfo

GROUP = "trimtab.probes"
_ROOT = Path("/")
_POWER_UNITS = {"mW", "mJ"}
NO_TEMPERATURE = "no thermal zone and no hwmon temperature"


def load_probes() -> tuple[dict[str, Probe], dict[str, str]]:
    """Probes by name, and for each that cannot be loaded the reason."""
    probes: dict[str, Probe] = {}
    broken: dict[str, str] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        try:
            probes[entry.name] = _load(entry)
        except Exception as error:  # a third party's module may raise anything at import
            broken[entry.name] = f"probe cannot be loaded: {type(error).__name__}: {error}"
    return probes, broken


def discover(root: Path = _ROOT) -> list[Sensor]:
    """Every usable probe's sensors."""
    probes, _ = load_probes()
    return [sensor for probe in probes.values() for sensor in probe.discover(root)]


def sensor_infos(root: Path = _ROOT) -> tuple[SensorInfo, ...]:
    """What there is, a probe that cannot be loaded among it as unavailable."""
    _, broken = load_probes()
    found = [sensor.info for sensor in discover(root)]
    lost = [SensorInfo(name, "", "", None, 0, reason) for name, reason in broken.items()]
    return (*found, *lost)


def sensors_with_gaps(root: Path = _ROOT) -> tuple[SensorInfo, ...]:
    """What there is; a whole kind that is missing stands there as unavailable, with the reason."""
    found = sensor_infos(root)
    gaps = []
    power = why_no_power(root, found)
    if power is not None:
        gaps.append(SensorInfo("power", "", "", None, 0, power))
    if not any(info.unit == "Cel" for info in found):
        gaps.append(SensorInfo("temperature", "", "", None, 0, NO_TEMPERATURE))
    return (*found, *gaps)


def power_unavailable_reason(root: Path = _ROOT) -> str | None:
    """None where a usable power or energy sensor is there; else what was looked for."""
    return why_no_power(root, sensor_infos(root))


def why_no_power(root: Path, found: Sequence[SensorInfo]) -> str | None:
    """:func:`power_unavailable_reason` of sensors that were found already."""
    power = [info for info in found if info.unit in _POWER_UNITS]
    if any(not info.unavailable_reason for info in power):
        return None
    probes, _ = load_probes()
    remarks = [remark for probe in probes.values() if (remark := probe.remark(root))]
    if power:
        return "; ".join([f"no usable power sensor ({_refusals(power)})", *remarks])
    looked = ", ".join(probe.looks_for for probe in probes.values() if probe.looks_for)
    return "; ".join([f"no power sensor found (looked for {looked})", *remarks])


def _refusals(infos: Sequence[SensorInfo]) -> str:
    """Each reason once, with the sensors that it is of."""
    names: dict[str, list[str]] = {}
    for info in infos:
        names.setdefault(info.unavailable_reason, []).append(info.name)
    return "; ".join(f"{', '.join(each)}: {reason}" for reason, each in names.items())


def _load(entry: EntryPoint) -> Probe:
    probe = entry.load()()
    if not isinstance(probe, Probe):
        raise TypeError(f"{entry.value} is not a trimtab Probe")
    return probe
