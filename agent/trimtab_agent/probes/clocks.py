"""Clocks of the processors: /sys/devices/system/cpu/cpufreq (admin-guide/pm/cpufreq), in kHz there.

Processors that share a clock are one sensor. Where each has its own, as on x86, those of a cluster
are one sensor that tells the fastest of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trimtab_agent.cpus import clusters, core_types, cpu_range, governed, policies
from trimtab_agent.probes.base import Probe, Sensor, SensorError
from trimtab_agent.probes.sysfs import read_int, read_text
from trimtab_agent.records import SensorInfo

_NOW = "scaling_cur_freq"
_KHZ_PER_MHZ = 1000


class ClocksProbe(Probe):
    name = "clocks"

    def discover(self, root: Path) -> list[Sensor]:
        return clock_sensors(root)


@dataclass(frozen=True)
class ClockSensor(Sensor):
    """The fastest of ``policies``: those that do not answer (asleep, taken off) are passed over."""

    info: SensorInfo
    policies: tuple[Path, ...]

    def read(self) -> float:
        told = [khz for policy in self.policies if (khz := read_int(policy / _NOW)) is not None]
        if not told:
            raise SensorError(f"sensor {self.info.name} does not answer")
        return max(told) / _KHZ_PER_MHZ


def clock_sensors(root: Path) -> list[Sensor]:
    """One a shared clock; in MHz."""
    names = core_types(root)
    return [_sensor(domain, names) for domain in _domains(root)]


def cluster_settings(root: Path) -> dict[str, str]:
    """Governor and allowed frequencies of each kind of processor, for the conditions of a figure.

    ``frequency_limits_mhz`` where all are set alike; else ``frequency_limits_mhz_cluster_4-7`` by
    their processors, and ``governor_cluster_4-7`` where the governors differ. What is not told is
    left out.
    """
    names = core_types(root)
    groups: dict[tuple[str, str, str], set[int]] = {}
    for policy in policies(root):
        cpus = governed(policy)
        governor, limits = read_text(policy / "scaling_governor") or "", _limits_mhz(policy)
        core = names.get(min(cpus), "") if cpus else ""
        groups.setdefault((core, governor, limits), set()).update(cpus)
    if len(groups) == 1:
        ((_, _, limits),) = groups
        return {"frequency_limits_mhz": limits} if limits else {}
    found: dict[str, str] = {}
    one_governor = len({governor for _, governor, _ in groups}) == 1
    for (_, governor, limits), cpus in groups.items():
        cluster = cpu_range(cpus) or "unknown"
        found[f"governor_cluster_{cluster}"] = "" if one_governor else governor
        found[f"frequency_limits_mhz_cluster_{cluster}"] = limits
    return {name: text for name, text in found.items() if text}


@dataclass(frozen=True)
class _Domain:
    name: str
    cpus: tuple[int, ...]
    policies: tuple[Path, ...]


def _domains(root: Path) -> list[_Domain]:
    """A policy with several processors is a clock of its own; single ones go by their cluster."""
    telling = [policy for policy in policies(root) if read_int(policy / _NOW) is not None]
    cpus = {policy: tuple(sorted(governed(policy))) for policy in telling}
    alone = {cpus[policy][0]: policy for policy in telling if len(cpus[policy]) == 1}
    found = [_Domain(each.name, cpus[each], (each,)) for each in telling if len(cpus[each]) != 1]
    for members in _clustered(root, alone):
        own = tuple(alone[cpu] for cpu in members)
        found.append(_Domain(own[0].name, members, own))
    return sorted(found, key=lambda domain: (len(domain.name), domain.name))


def _clustered(root: Path, alone: Mapping[int, Path]) -> list[tuple[int, ...]]:
    groups = [tuple(cpu for cpu in each.cpu_ids if cpu in alone) for each in clusters(root)]
    grouped = {cpu for group in groups for cpu in group}
    return [group for group in groups if group] + [(cpu,) for cpu in alone if cpu not in grouped]


def _sensor(domain: _Domain, names: Mapping[int, str]) -> Sensor:
    kinds = dict.fromkeys(name for cpu in domain.cpus if (name := names.get(cpu)))
    which = f"processors {cpu_range(domain.cpus)}" if domain.cpus else "processors"
    scope = f"{which} ({' + '.join(kinds)})" if kinds else which
    if len(domain.policies) > 1:
        scope = f"the fastest of {scope}"
    info = SensorInfo(f"clocks/{domain.name}", "MHz", scope, "instantaneous", 0)
    return ClockSensor(info, domain.policies)


def _limits_mhz(policy: Path) -> str:
    lowest, highest = (read_int(policy / file) for file in ("scaling_min_freq", "scaling_max_freq"))
    if lowest is None or highest is None:
        return ""
    return f"{lowest // _KHZ_PER_MHZ} to {highest // _KHZ_PER_MHZ}"
