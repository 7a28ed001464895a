"""The decision: per device the variant to ship, and why not each other one.

Only valid figures take part. Among the candidates that meet every requirement the objective's value
decides; equal values are decided by the smaller artifact, then by the name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from trimtab.decide.collapse import collapse_warning
from trimtab.decide.comparison import objective_text, overlap, why_worse
from trimtab.decide.labels import distinct_labels
from trimtab.decide.requirements import Miss, misses
from trimtab.measure.wording import show
from trimtab.metrics import METRICS
from trimtab.records import (
    Decision,
    DeviceDecision,
    DeviceRef,
    Metric,
    NotChosen,
    Objective,
    Requirement,
    Result,
)


@dataclass(frozen=True)
class _Candidate:
    result: Result
    label: str
    misses: tuple[Miss, ...]

    @property
    def failure(self) -> str | None:
        error = self.result.error
        return f"failed ({error.failure_class}): {error.message}" if error is not None else None

    @property
    def meets(self) -> bool:
        return self.failure is None and not self.misses

    def usable(self, metric: str) -> Metric | None:
        """None where the figure is missing or invalid."""
        found = self.result.metrics.get(metric)
        return found if found is not None and found.valid and found.value is not None else None


def decide(
    results: Sequence[Result], requirements: Sequence[Requirement], objective: Objective
) -> Decision:
    """One decision a device, in the order in which the devices first appear."""
    by_device: dict[DeviceRef, list[Result]] = {}
    for result in results:
        by_device.setdefault(result.device, []).append(result)
    devices = tuple(
        _decide_device(device, own, requirements, objective) for device, own in by_device.items()
    )
    return Decision(tuple(requirements), objective, devices)


def _decide_device(
    device: DeviceRef,
    results: Sequence[Result],
    requirements: Sequence[Requirement],
    objective: Objective,
) -> DeviceDecision:
    candidates = [
        _Candidate(result, label, () if result.error else misses(result, requirements))
        for result, label in zip(results, distinct_labels(results), strict=True)
    ]
    used, why_used = _objective_for(candidates, objective)
    ranked = _ranked(candidates, used)
    chosen = ranked[0] if ranked else None
    return DeviceDecision(
        device=device,
        chosen=chosen.result if chosen else None,
        reason=_reason_for(ranked, used) if chosen else _reason_for_none(candidates, used),
        objective_used=f"{objective_text(used)}{why_used}",
        not_chosen=tuple(
            NotChosen(each.label, _why_not(each, chosen, used), each.meets)
            for each in candidates
            if each is not chosen
        ),
        warnings=_warnings(chosen),
    )


def _warnings(chosen: _Candidate | None) -> tuple[str, ...]:
    """It stays eligible, for only a requirement excludes; but nobody is to miss it."""
    warning = collapse_warning(chosen.result) if chosen is not None else ""
    return (warning,) if warning else ()


def _objective_for(candidates: Sequence[_Candidate], objective: Objective) -> tuple[Objective, str]:
    """The objective, or its replacement where no candidate that could be chosen has the figure."""
    eligible = [each for each in candidates if each.meets]
    has_figure = any(each.usable(objective.metric) for each in eligible)
    if has_figure or objective.otherwise is None or not eligible:
        return objective, ""
    replacement = Objective(objective.otherwise, _natural_direction(objective.otherwise))
    return replacement, f" ({_lacking(objective.metric, eligible)})"


def _natural_direction(metric: str) -> Literal["minimize", "maximize"]:
    return "minimize" if METRICS[metric].better == "lower" else "maximize"


def _lacking(metric: str, eligible: Sequence[_Candidate]) -> str:
    return f"{metric} {_no_figure(eligible[0], metric)}"


def _no_figure(candidate: _Candidate, metric: str) -> str:
    found = candidate.result.metrics.get(metric)
    if found is None:
        return "was not measured"
    if found.value is None:
        return f"is unavailable: {found.reason}"
    return f"is INVALID: {found.reason}"


def _ranked(candidates: Sequence[_Candidate], objective: Objective) -> list[_Candidate]:
    sign = 1.0 if objective.direction == "minimize" else -1.0

    def order(candidate: _Candidate) -> tuple[float, int, str]:
        metric = candidate.usable(objective.metric)
        value = metric.value if metric is not None and metric.value is not None else 0.0
        return sign * value, candidate.result.artifact.size_bytes, candidate.label

    eligible = [each for each in candidates if each.meets and each.usable(objective.metric)]
    return sorted(eligible, key=order)


def _reason_for(ranked: Sequence[_Candidate], objective: Objective) -> str:
    chosen = ranked[0]
    metric = chosen.result.metrics[objective.metric]
    extreme = "lowest" if objective.direction == "minimize" else "highest"
    if len(ranked) == 1:
        return f"the only one that qualifies: {objective.metric} {show(metric)}"
    reason = f"{extreme} {objective.metric} of {len(ranked)} that qualify: {show(metric)}"
    close = [
        each.label for each in ranked[1:] if overlap(metric, each.result.metrics[objective.metric])
    ]
    return f"{reason}; no difference seen to {', '.join(close)}" if close else reason


def _reason_for_none(candidates: Sequence[_Candidate], objective: Objective) -> str:
    measured = [each for each in candidates if each.failure is None]
    if not measured:
        return "nothing was measured: every candidate failed"
    meeting = [each for each in measured if each.meets]
    if meeting:
        lacking = _lacking(objective.metric, meeting)
        return f"nothing can be compared: {lacking}; choose another objective"
    nearest = min(measured, key=lambda each: max(miss.distance for miss in each.misses))
    return f"nothing meets the requirements; nearest is {nearest.label}: {_told(nearest.misses)}"


def _why_not(candidate: _Candidate, chosen: _Candidate | None, objective: Objective) -> str:
    if candidate.failure is not None:
        return candidate.failure
    reason = _why_not_measured(candidate, chosen, objective)
    warning = collapse_warning(candidate.result)
    return f"{reason}; besides, {warning}" if warning else reason


def _why_not_measured(
    candidate: _Candidate, chosen: _Candidate | None, objective: Objective
) -> str:
    if candidate.misses:
        return _told(candidate.misses)
    metric = candidate.usable(objective.metric)
    if metric is None or chosen is None:
        return f"{objective.metric} {_no_figure(candidate, objective.metric)}"
    best = chosen.result.metrics[objective.metric]
    reason = why_worse(objective, best, chosen.label, metric)
    return f"{reason}; {_tie_break(candidate, chosen)}" if metric.value == best.value else reason


def _tie_break(candidate: _Candidate, chosen: _Candidate) -> str:
    ours, best = (each.result.artifact.size_bytes for each in (candidate, chosen))
    if ours == best:
        return "equal in size too, the name decided"
    return f"larger: {ours} against {best} bytes"


def _told(missed: Sequence[Miss]) -> str:
    return "; ".join(miss.text for miss in missed)
