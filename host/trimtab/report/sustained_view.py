"""A sustained load as sentences and as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from trimtab.measure.sustained import Curve, NoCurve, curves, sentence
from trimtab.measure.wording import show_duration
from trimtab.records import Result


def curves_of(result: Result) -> tuple[Curve | NoCurve, ...]:
    """Empty where no load was sustained, or its samples were not kept."""
    if result.settings.sustain_s is None or result.raw is None or result.error is not None:
        return ()
    return curves(result.raw)


def sustained_notes(results: Sequence[Result]) -> list[str]:
    """A sentence a repeat; the result is named where there are several."""
    told = [(result, each) for result in results for each in curves_of(result)]
    several = len({id(result) for result, _ in told}) > 1
    return [f"{result.label}: {_told(each)}" if several else _told(each) for result, each in told]


def sustained_json(result: Result) -> dict[str, Any] | None:
    """Null where no load was sustained. A repeat without a curve says why in ``reason``."""
    if result.settings.sustain_s is None or result.error is not None:
        return None
    return {
        "duration_s": result.settings.sustain_s,
        "sustained_over": "the last third",
        "repeats": [_json(each) for each in curves_of(result)],
    }


def title(result: Result, found: Curve) -> str:
    threads = result.settings.threads
    return (
        f"Sustained load of {result.label}, {threads} thread{'s' if threads > 1 else ''} on "
        f"{result.device.name}: {show_duration(found.duration_s)} in {len(found.intervals)} "
        f"intervals of {show_duration(found.interval_s)}"
    )


def sensor_gaps(found: Curve) -> tuple[str, ...]:
    """What is missing from the curve; whether it throttled stands in the sentence."""
    return tuple(
        f"{name} unavailable: {reason}"
        for name, reason in found.unavailable.items()
        if name != "throttling"
    )


def _told(found: Curve | NoCurve) -> str:
    if isinstance(found, NoCurve):
        return f"sustained load: no curve: {found.reason}"
    return sentence(found)


def _json(found: Curve | NoCurve) -> dict[str, Any]:
    if isinstance(found, NoCurve):
        return {"reason": found.reason, "intervals": []}
    return {**asdict(found), "slowdown": found.slowdown, "reason": None}
