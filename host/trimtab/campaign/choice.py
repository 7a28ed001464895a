"""A run's decision, with the variants of which there was nothing to measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trimtab.decide.choose import decide
from trimtab.records import Decision, NotChosen, Objective, Requirement, Run


def choose(run: Run, requirements: Sequence[Requirement], objective: Objective) -> Decision:
    """Every variant has its place in it: chosen, or not and why, or never made and why."""
    decision = decide(run.results, requirements, objective)
    unmade = tuple(
        NotChosen(
            f"{variant.name} ({variant.format})", f"not made: {variant.failure.message}", False
        )
        for variant in run.variants
        if variant.failure is not None
    )
    devices = tuple(
        replace(device, not_chosen=(*device.not_chosen, *unmade)) for device in decision.devices
    )
    return replace(decision, devices=devices)
