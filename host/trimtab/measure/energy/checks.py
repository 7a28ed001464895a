"""What speaks for or against an arm's energy; pure. See docs/validity.md."""

from __future__ import annotations

from collections.abc import Sequence

from trimtab.measure.energy.errors import NoEnergy
from trimtab.measure.energy.measured import MeasuredEnergy, measured_energy
from trimtab.measure.energy.of_repeat import Idle, RepeatEnergy
from trimtab.measure.energy.uncertain import independent_sum
from trimtab.records import Check, RawArm

LEAST_UPDATES = 10
IDLE_APART = 0.10
"""By how much of their mean the idle power before and after may differ."""
UPDATES_CHECK, IDLE_CHECK, INTERVAL_CHECK = "ENERGY_UPDATES", "IDLE_STEADY", "ENERGY_INTERVAL"
_ALL = ("energy", "power", "battery")
_OF_IDLE = ("energy_net", "power_idle")


def energy_checks(raw: RawArm) -> tuple[Check, ...]:
    """None where no sensor gave an energy: the figures say why."""
    try:
        found = measured_energy(raw)
    except NoEnergy:
        return ()
    return (
        _enough_updates(found),
        *_idle_steady(found.repeats),
        *_interval_known(found.repeats),
    )


def _enough_updates(found: MeasuredEnergy) -> Check:
    fewest = min(each.update_count for each in found.repeats)
    seen = f"{fewest} updates while measuring, in the repeat with fewest (limit {LEAST_UPDATES})"
    seen = f"{seen}; covers {found.scope}"
    if fewest < LEAST_UPDATES:
        advice = "raise the minimum duration: the sensor updates too seldom for this one"
        return Check(UPDATES_CHECK, "failed", True, _ALL, seen, advice)
    if not all(each.changed for each in found.repeats):
        still = f"told the same all the time: whether it updates is not known; covers {found.scope}"
        advice = "look whether the sensor moves when the device is loaded"
        return Check(UPDATES_CHECK, "unknown", False, _ALL, still, advice)
    return Check(UPDATES_CHECK, "passed", True, _ALL, seen)


def _idle_steady(repeats: Sequence[RepeatEnergy]) -> tuple[Check, ...]:
    idles = [each.idle for each in repeats if each.idle is not None]
    if len(idles) < len(repeats):
        return ()
    advice = "let the device settle before measuring, and stop what else runs"
    missing = next((each.missing for each in idles if each.missing), "")
    if missing:
        seen = f"idle power known {missing}"
        return (Check(IDLE_CHECK, "unknown", False, _OF_IDLE, seen, advice),)
    worst = max(idles, key=_apart)
    seen = f"idle power before and after {_apart(worst):.1%} apart (limit {IDLE_APART:.0%})"
    if _apart(worst) <= IDLE_APART or not any(_clearly_apart(each) for each in idles):
        return (Check(IDLE_CHECK, "passed", False, _OF_IDLE, seen),)
    return (Check(IDLE_CHECK, "failed", False, _OF_IDLE, seen, advice),)


def _apart(idle: Idle) -> float:
    """As a share of their mean."""
    if idle.before is None or idle.after is None:
        return 0.0
    difference = abs(idle.before.value - idle.after.value)
    if difference == 0:
        return 0.0
    return difference / max(abs(idle.power_w.value), 1e-12)


def _clearly_apart(idle: Idle) -> bool:
    """By more than the limit, and by more than their own uncertainty."""
    if idle.before is None or idle.after is None:
        return False
    difference = independent_sum([idle.before, idle.after.times(-1.0)])
    return _apart(idle) > IDLE_APART and abs(difference.value) > difference.half_width


def _interval_known(repeats: Sequence[RepeatEnergy]) -> tuple[Check, ...]:
    if len(repeats) > 1:
        return ()
    seen = "1 process: the interval is of the sensor's sampling, not of how the next would differ"
    advice = "repeat at least 3 times, 5 for comparing"
    return (Check(INTERVAL_CHECK, "unknown", False, _ALL, seen, advice),)
