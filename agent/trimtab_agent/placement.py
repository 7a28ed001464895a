"""Whether the accelerator that was asked for ran the model, and which operators it left out."""

from __future__ import annotations

from collections.abc import Mapping

from trimtab_agent.records import Check
from trimtab_agent.runtimes.operators import Places

_NAME = "ACCELERATOR_USED"
_MOST_TYPES = 6


def placement_check(asked: str, places: Places) -> Check:
    """From a profile: what really ran where. ``places`` is not empty."""
    total = sum(sum(types.values()) for types in places.values())
    there = {place: types for place, types in places.items() if place.partition(" ")[0] == asked}
    elsewhere = {place: types for place, types in places.items() if place not in there}
    count = sum(sum(types.values()) for types in there.values())
    listed = "; ".join(_listed(place, types) for place, types in sorted(places.items()))
    if not count:
        seen = f"none of {total} operators ran on {asked}: {listed}"
        advice = f"see `trimtab-agent doctor` for what {asked} needs on this device"
        return Check(_NAME, "failed", True, (), seen, advice)
    if elsewhere:
        seen = f"{total - count} of {total} operators fell back from {asked}: {listed}"
        advice = f"replace those operators, or compare with a run without {asked}"
        return Check(_NAME, "failed", False, (), seen, advice)
    return Check(_NAME, "passed", True, (), f"{asked}, as asked: {listed}")


def _listed(place: str, types: Mapping[str, int]) -> str:
    """``cpu (built-in) 3: 2 ADD, 1 SOFTMAX``, the most frequent first."""
    ranked = sorted(types.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{count} {name}" for name, count in ranked[:_MOST_TYPES]]
    rest = len(ranked) - len(shown)
    more = [f"{rest} more types"] if rest else []
    return f"{place} {sum(types.values())}: {', '.join([*shown, *more])}"
