"""Inferences at a rate, or in batches: what is written down of it, and what is checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from trimtab_agent.disturbance import OF_STATE
from trimtab_agent.records import Check, JobSpec, Policy

MISSED_LIMIT = 0.01
_NS_PER_MS = 1e6


@dataclass(frozen=True)
class Periods:
    """One repeat's: inferences taken, periods that passed without one, the latest start."""

    rate_hz: float
    taken: int
    missed: int
    latest_start_ns: int


def scenario_conditions(spec: JobSpec) -> dict[str, str]:
    if spec.batch_size is not None:
        return {"scenario": "batches, back to back", "batch_size": str(spec.batch_size)}
    if spec.rate_hz is not None:
        return {"scenario": "periodic", "rate_hz": f"{spec.rate_hz:g}"}
    if spec.sustain_ns is not None:
        return {"scenario": "sustained", "sustain_s": f"{spec.sustain_ns / 1e9:g}"}
    return {"scenario": "back to back"}


def policy_to_check(spec: JobSpec) -> Policy:
    """A sustained load has to last as long as it was asked for, whatever the policy's minimum."""
    if spec.sustain_ns is None:
        return spec.policy
    return replace(spec.policy, min_duration_ns=spec.sustain_ns, max_duration_ns=spec.sustain_ns)


def rate_checks(periods: Sequence[Periods]) -> tuple[Check, ...]:
    """None where there was no rate to keep."""
    if not periods:
        return ()
    missed = sum(each.missed for each in periods)
    total = missed + sum(each.taken for each in periods)
    late_ms = max(each.latest_start_ns for each in periods) / _NS_PER_MS
    seen = (
        f"{missed} of {total} periods at {periods[0].rate_hz:g} Hz missed "
        f"(limit {MISSED_LIMIT:.0%}), latest start {late_ms:.2f} ms after its period's begin"
    )
    if missed <= MISSED_LIMIT * total:
        return (Check("RATE_KEPT", "passed", True, OF_STATE, seen),)
    advice = "lower the rate, or make the model faster: an inference outlasts its period"
    return (Check("RATE_KEPT", "failed", True, OF_STATE, seen, advice),)
