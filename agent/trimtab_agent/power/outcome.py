"""What a job's power readings come to: which sensors told, and why there is no energy otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from trimtab_agent.disturbance import FOREIGN_LOAD_LIMIT
from trimtab_agent.foreign import ForeignLoad
from trimtab_agent.power.meter import PowerPlan, PowerSeen
from trimtab_agent.records import Check, SensorBatch, SensorInfo
from trimtab_agent.sensor_batches import in_batches

ENERGY_METRICS = ("energy_mj", "energy_net_mj", "power_mean_w", "power_idle_w")
_NOT_LOOKED_FOR = "nobody looked for a power sensor"


def energy_unavailable(plan: PowerPlan) -> dict[str, str]:
    """Metric -> reason; empty where sensors were read: what they told speaks for itself."""
    if plan.paces:
        return {}
    unread = "; ".join(f"{each.name}: {each.unavailable_reason}" for each in plan.sensors)
    return dict.fromkeys(ENERGY_METRICS, plan.problem or unread or _NOT_LOOKED_FOR)


def foreign_power_check(plan: PowerPlan, loads: Sequence[ForeignLoad | None]) -> tuple[Check, ...]:
    """What others draw is in a whole device's power, also where it left the latency alone; none
    where no power was read."""
    known = [each.share for each in loads if each is not None]
    if not plan.paces:
        return ()
    name, spoken = "FOREIGN_POWER", ("energy", "power", "battery")
    if not known:
        return (Check(name, "unknown", True, spoken, "this system does not tell processor times"),)
    seen = f"others took {max(known):.0%} of the processors (limit {FOREIGN_LOAD_LIMIT:.0%})"
    if max(known) <= FOREIGN_LOAD_LIMIT:
        return (Check(name, "passed", True, spoken, seen),)
    advice = "stop what else runs: its power is counted in"
    return (Check(name, "failed", True, spoken, seen, advice),)


def sampling_condition(plan: PowerPlan) -> dict[str, str]:
    """How often power is read, and what that takes of a processor; empty where it is not."""
    if not plan.paces:
        return {}
    told = [
        f"{len(each.plan.sensors)} of {each.plan.source} every {each.plan.period_s * 1e3:.0f} ms"
        for each in plan.paces
    ]
    share = sum(each.plan.busy_s / each.plan.period_s for each in plan.paces)
    return {"power_sampling": f"{', '.join(told)}; {share:.2%} of a processor"}


def sensors_seen(plan: PowerPlan, repeats: Sequence[PowerSeen]) -> tuple[SensorInfo, ...]:
    """Those that gave up carry the reason."""
    return tuple(_seen(sensor, repeats) for sensor in plan.sensors)


def power_batches(seen: PowerSeen) -> Iterable[SensorBatch]:
    for name, series in seen.series.items():
        yield from in_batches(name, series.offset_ns, series.values)


def _seen(sensor: SensorInfo, repeats: Sequence[PowerSeen]) -> SensorInfo:
    reasons = [
        f"repeat {number}: {seen.failures[sensor.name]}"
        for number, seen in enumerate(repeats, start=1)
        if sensor.name in seen.failures
    ]
    return replace(sensor, unavailable_reason=reasons[0]) if reasons else sensor
