"""Comparisons as sentences and as ``trimtab.compare/1``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from trimtab.fleet.dispatch import Measured
from trimtab.measure.compare import Comparison, sentence
from trimtab.measure.side_by_side import Pair, SideBySide
from trimtab.records import Check, DeviceRef

RUNS_SCHEMA = "trimtab.compare-runs/1"
# What taking turns does not even out between the two.
_VOIDING = {"ACCELERATOR_USED", "OUTPUTS_FINITE", "NO_SAMPLE_LOST", "CLOCK_MONOTONIC"}
COMPARE_SCHEMA = "trimtab.compare/1"
ONLY_THE_RATIO = (
    "Only the ratio is given: in interleaved blocks each latency by itself is dearer than usual; "
    "for those, run it without --compare."
)


def comparison_lines(
    device: DeviceRef, arms: Sequence[Measured], comparison: Comparison
) -> Iterator[str]:
    """The verdict, and every check that did not pass."""
    first, second = (arm.request.name for arm in arms)
    verdict = "" if is_valid(arms) else "INVALID: "
    yield f"{device.name}: {verdict}{sentence(comparison, first, second)}"
    for check in doubtful(arms):
        yield f"  {check.name}: {check.seen}"
        if check.advice:
            yield f"    {check.advice}"


def comparison_json(arms: Sequence[Measured], comparison: Comparison) -> dict[str, Any]:
    """``ratio`` is the first arm's time over the second's."""
    return {
        "arms": [_arm(each) for each in arms],
        "valid": is_valid(arms),
        "verdict": comparison.verdict,
        "sentence": sentence(comparison, *(arm.request.name for arm in arms)),
        "ratio": comparison.ratio,
        "ci95": list(comparison.ci95) if comparison.ci95 is not None else None,
        "resolution": comparison.resolution,
        "per_repeat": list(comparison.per_repeat),
        "pair_count": comparison.pair_count,
    }


def is_valid(arms: Sequence[Measured]) -> bool:
    return not any(check.outcome == "failed" and check.name in _VOIDING for check in doubtful(arms))


def differences_text(found: SideBySide) -> str:
    """A line a condition, below the result it speaks of; empty where none differs."""
    lines: list[str] = []
    for pair in found.pairs:
        if pair.differences:
            lines.append(f"  {pair.first.label} on {pair.first.device.name}")
            lines += [f"    {difference}" for difference in pair.differences]
    return "\n".join(lines)


def ratio_text(pair: Pair) -> str:
    if pair.ratio is None:
        return "-"
    interval = "" if pair.ci95 is None else f" [{pair.ci95[0]:.3f}, {pair.ci95[1]:.3f}]"
    return f"{pair.ratio:.3f}{interval}"


def runs_json(found: SideBySide, first: str, second: str) -> dict[str, Any]:
    return {
        "schema": RUNS_SCHEMA,
        "runs": [first, second],
        "pairs": [_pair(pair) for pair in found.pairs],
        "alone": [result.label for result in found.alone],
    }


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        "label": pair.first.label,
        "device": asdict(pair.first.device),
        "latency_p50_ms": [
            None if each.error is not None else each.metrics["latency_p50_ms"].value
            for each in (pair.first, pair.second)
        ],
        "ratio": pair.ratio,
        "ci95": list(pair.ci95) if pair.ci95 is not None else None,
        "verdict": pair.verdict if pair.ratio is not None else None,
        "reason": pair.reason or None,
        "differences": [asdict(difference) for difference in pair.differences],
    }


def doubtful(arms: Sequence[Measured]) -> list[Check]:
    """What failed, or is unknown and would void the figure, once each."""
    found = {
        (check.name, check.seen): check
        for arm in arms
        for check in arm.raw.checks
        if check.outcome == "failed" or (check.outcome == "unknown" and check.invalidates)
    }
    return list(found.values())


def _arm(arm: Measured) -> dict[str, Any]:
    raw, settings = arm.raw, arm.request.settings
    return {
        "name": arm.request.name,
        "file": arm.request.artifact.name,
        "sha256": arm.request.artifact.sha256,
        "runtime": {"name": raw.runtime, "version": raw.runtime_version},
        "accelerator": {"asked": settings.accelerator, "used": raw.accelerator_used},
        "settings": asdict(settings),
        "checks": [asdict(check) for check in raw.checks],
        "conditions": dict(raw.conditions),
    }
