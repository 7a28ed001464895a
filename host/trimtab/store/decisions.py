"""A decision as plain data; the chosen results by their position in the run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trimtab.records import (
    Decision,
    DeviceDecision,
    DeviceRef,
    NotChosen,
    Objective,
    Requirement,
    Result,
)
from trimtab.store.codec import plain


def decision_document(decision: Decision, results: Sequence[Result]) -> dict[str, Any]:
    """Raises ValueError where a chosen result is not one of the run's."""
    of_device: dict[str, list[int]] = {}  # looking through all for each device would be quadratic
    for position, result in enumerate(results):
        of_device.setdefault(result.device.name, []).append(position)

    def place(chosen: Result) -> int:
        positions = of_device.get(chosen.device.name, [])
        return positions[position_of(chosen, [results[each] for each in positions])]

    return {
        "requirements": plain(decision.requirements),
        "objective": plain(decision.objective),
        "devices": [
            {
                "device": plain(each.device),
                "chosen": None if each.chosen is None else place(each.chosen),
                "reason": each.reason,
                "objective_used": each.objective_used,
                "not_chosen": plain(each.not_chosen),
                "warnings": plain(each.warnings),
            }
            for each in decision.devices
        ],
    }


def decision_from(document: dict[str, Any], results: Sequence[Result]) -> Decision:
    return Decision(
        requirements=tuple(Requirement(**each) for each in document["requirements"]),
        objective=Objective(**document["objective"]),
        devices=tuple(
            DeviceDecision(
                device=DeviceRef(**each["device"]),
                chosen=None if each["chosen"] is None else results[each["chosen"]],
                reason=each["reason"],
                objective_used=each["objective_used"],
                not_chosen=tuple(NotChosen(**other) for other in each["not_chosen"]),
                warnings=tuple(each.get("warnings", ())),
            )
            for each in document["devices"]
        ),
    )


def position_of(result: Result, results: Sequence[Result]) -> int:
    """Where a result, or the same arm read a second time, stands. Raises ValueError."""
    wanted = _identity(result)
    for position, other in enumerate(results):
        if other is result or _identity(other) == wanted:
            return position
    raise ValueError(f"the decision chose {result.label}, which is not among the run's results")


def _identity(result: Result) -> tuple[object, ...]:
    return (
        result.device.name,
        result.device.device_id,
        result.variant,
        result.artifact.sha256,
        result.artifact.name,
        result.settings,
        result.job_id,
    )
