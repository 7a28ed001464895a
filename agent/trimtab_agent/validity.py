"""The checks a result must pass before anybody relies on it; pure functions over records.

A check that fails and ``invalidates`` voids the metrics it names ("latency" is the whole family);
one that fails without, or whose outcome is unknown, is a warning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trimtab_agent.middle import median
from trimtab_agent.records import Check, Policy

SPREAD_LIMIT = 1.25
_LATENCY = ("latency",)
_MS = 1e6


@dataclass(frozen=True)
class Repeat:
    """What one repeat gave. ``measured_count``: samples the worker says it took.

    ``outputs_finite`` is None where the worker did not tell.
    """

    start_offset_ns: Sequence[int]
    latency_ns: Sequence[int]
    measured_count: int | None = None
    outputs_finite: bool | None = None


def latency_checks(repeats: Sequence[Repeat], policy: Policy) -> tuple[Check, ...]:
    """Checks over an arm's repeats, all of which ran to their end."""
    return (
        _min_duration(repeats, policy),
        _min_samples(repeats, policy),
        _clock_monotonic(repeats),
        _no_sample_lost(repeats),
        _outputs_finite(repeats),
        _between_repeat_spread(repeats),
    )


def accelerator_used(asked: str, used: str) -> Check:
    if asked != used:
        return Check(
            "ACCELERATOR_USED",
            "failed",
            True,
            (),
            f"asked for {asked}, the runtime ran on {used or 'something it does not name'}",
            f"see `trimtab-agent doctor` for what {asked} needs on this device",
        )
    if used == "cpu":
        return Check("ACCELERATOR_USED", "passed", True, (), "cpu, as asked")
    return Check(
        "ACCELERATOR_USED",
        "unknown",
        True,
        (),
        f"{used} is set up; which operators fell back to the cpu was not looked at",
        "compare with a run on the cpu before relying on it",
    )


def _min_duration(repeats: Sequence[Repeat], policy: Policy) -> Check:
    shortest = min((_span_ns(repeat) for repeat in repeats), default=0)
    seen = (
        f"shortest repeat {shortest / _MS:.1f} ms (minimum {policy.min_duration_ns / _MS:.1f} ms)"
    )
    if shortest >= policy.min_duration_ns:
        return Check("MIN_DURATION", "passed", True, _LATENCY, seen)
    return Check(
        "MIN_DURATION", "failed", True, _LATENCY, seen, "lower the minimum duration, or report this"
    )


def _min_samples(repeats: Sequence[Repeat], policy: Policy) -> Check:
    fewest = min((len(repeat.latency_ns) for repeat in repeats), default=0)
    seen = f"fewest in a repeat {fewest} (minimum {policy.min_sample_count})"
    if fewest >= policy.min_sample_count:
        return Check("MIN_SAMPLES", "passed", True, _LATENCY, seen)
    return Check(
        "MIN_SAMPLES",
        "failed",
        True,
        _LATENCY,
        seen,
        f"let it last longer (now {policy.max_duration_ns / 1e9:g} s at most)",
    )


def _clock_monotonic(repeats: Sequence[Repeat]) -> Check:
    backwards = sum(_backward_steps(repeat) for repeat in repeats)
    if not backwards:
        return Check(
            "CLOCK_MONOTONIC", "passed", True, _LATENCY, "no sample starts before the last"
        )
    return Check(
        "CLOCK_MONOTONIC",
        "failed",
        True,
        _LATENCY,
        f"{backwards} samples end before they start, or overlap the next",
        "the device's clock source is broken: see `trimtab-agent doctor`",
    )


def _no_sample_lost(repeats: Sequence[Repeat]) -> Check:
    counts = [repeat.measured_count for repeat in repeats]
    here = sum(len(repeat.latency_ns) for repeat in repeats)
    if any(count is None for count in counts):
        seen = f"{here} samples here; a worker did not say how many it took"
        return Check("NO_SAMPLE_LOST", "unknown", True, _LATENCY, seen)
    whole = all(
        len(repeat.latency_ns) == len(repeat.start_offset_ns) == repeat.measured_count
        for repeat in repeats
    )
    taken = sum(count for count in counts if count is not None)
    seen = f"{taken} taken, {here} here"
    if whole:
        return Check("NO_SAMPLE_LOST", "passed", True, _LATENCY, seen)
    return Check("NO_SAMPLE_LOST", "failed", True, _LATENCY, seen, "please report this")


def _outputs_finite(repeats: Sequence[Repeat]) -> Check:
    answers = [repeat.outputs_finite for repeat in repeats]
    if False in answers:
        return Check(
            "OUTPUTS_FINITE",
            "failed",
            True,
            (),
            f"NaN or infinity in the outputs of {answers.count(False)} of {len(answers)} repeats",
            "give real inputs with --inputs; if it stays, the model overflows (fp16?)",
        )
    if None in answers or not answers:
        return Check("OUTPUTS_FINITE", "unknown", True, (), "a worker did not look at its outputs")
    return Check("OUTPUTS_FINITE", "passed", True, (), f"in all {len(answers)} repeats")


def _between_repeat_spread(repeats: Sequence[Repeat]) -> Check:
    medians = [median(repeat.latency_ns) for repeat in repeats if len(repeat.latency_ns)]
    if len(medians) < 2:
        seen = "needs two repeats or more"
        return Check("BETWEEN_REPEAT_SPREAD", "not_applicable", False, _LATENCY, seen)
    if min(medians) <= 0:
        seen = "a median of 0 ns: the clock is too coarse for this model"
        return Check("BETWEEN_REPEAT_SPREAD", "unknown", False, _LATENCY, seen)
    ratio = max(medians) / min(medians)
    seen = (
        f"slowest p50 {max(medians) / _MS:.4g} ms is {ratio:.2f} x the fastest "
        f"(limit {SPREAD_LIMIT:.2f})"
    )
    if ratio <= SPREAD_LIMIT:
        return Check("BETWEEN_REPEAT_SPREAD", "passed", False, _LATENCY, seen)
    advice = "stop what else runs, let the device cool, fix its governor, and measure again"
    return Check("BETWEEN_REPEAT_SPREAD", "failed", False, _LATENCY, seen, advice)


def _span_ns(repeat: Repeat) -> int:
    if not len(repeat.start_offset_ns) or not len(repeat.latency_ns):
        return 0
    return repeat.start_offset_ns[-1] + repeat.latency_ns[-1] - repeat.start_offset_ns[0]


def _backward_steps(repeat: Repeat) -> int:
    steps, free_from = 0, None
    for start, latency in zip(repeat.start_offset_ns, repeat.latency_ns, strict=False):
        if latency < 0 or (free_from is not None and start < free_from):
            steps += 1
        free_from = start + latency
    return steps
