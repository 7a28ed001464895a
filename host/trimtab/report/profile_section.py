"""Operator profiles as the page shows them: a line that sums up each, and its table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from trimtab.operator_profile import OperatorProfile, OperatorTime
from trimtab.records import Result
from trimtab.report.profile_view import profile_notes, rest_row

MOST_ROWS = 100
_DEAREST_TYPES = 3


@dataclass(frozen=True)
class OperatorRow:
    """``percent`` (0 to 100) draws the bar; None where there are no times."""

    operator: str
    name: str
    count: str
    time: str
    share: str
    percent: float | None
    ran_on: str
    fell_back: bool


@dataclass(frozen=True)
class ProfileView:
    """``fallback`` is "" where every operator ran on the accelerator that was asked for."""

    label: str
    summary: str
    fallback: str
    rows: tuple[OperatorRow, ...]
    notes: tuple[str, ...]


def profile_views(results: Sequence[Result], labels: Sequence[str]) -> tuple[ProfileView, ...]:
    """One for each result that was profiled."""
    return tuple(
        _view(label, profile, result.settings.accelerator)
        for result, label in zip(results, labels, strict=True)
        if result.raw is not None and (profile := result.raw.profile) is not None
    )


def _view(label: str, profile: OperatorProfile, asked: str) -> ProfileView:
    ranked = sorted(profile.operators, key=lambda each: -(each.total_ms or 0.0))
    rows = [_row(each, asked) for each in ranked[:MOST_ROWS]]
    if ranked[MOST_ROWS:]:
        operator, name, count, time, share, ran_on = rest_row(ranked[MOST_ROWS:])
        rows.append(OperatorRow(operator, name, count, time, share, None, ran_on, False))
    return ProfileView(
        label=label,
        summary=_summary(profile.operators),
        fallback=_fallback(profile.operators, asked),
        rows=tuple(rows),
        notes=tuple(profile_notes(profile)),
    )


def _row(each: OperatorTime, asked: str) -> OperatorRow:
    return OperatorRow(
        operator=each.type,
        name=each.name,
        count=f"{each.count:g}",
        time="–" if each.total_ms is None else f"{each.total_ms:.4f}",
        share="–" if each.share is None else f"{each.share:.1%}",
        percent=None if each.share is None else round(100 * each.share, 2),
        ran_on=each.ran_on,
        fell_back=not _ran_on(each, asked),
    )


def _summary(operators: Sequence[OperatorTime]) -> str:
    """``Conv 61.1%, MaxPool 15.1% · operators: 15 on cpu (XNNPACK), 2 on cpu (built-in)``"""
    if not operators:
        return "no operators told"
    shares = _sums((each.type, each.share) for each in operators)
    dearest = sorted(shares.items(), key=lambda item: -item[1])[:_DEAREST_TYPES]
    places = _sums((each.ran_on, each.count) for each in operators)
    listed = ", ".join(f"{count:g} on {place}" for place, count in places.items())
    parts = [", ".join(f"{name} {share:.1%}" for name, share in dearest)] if shares else []
    return " · ".join([*parts, f"operators: {listed}"])


def _fallback(operators: Sequence[OperatorTime], asked: str) -> str:
    left_out = [each for each in operators if not _ran_on(each, asked)]
    if not left_out:
        return ""
    total = sum(each.count for each in operators)
    count = sum(each.count for each in left_out)
    shares = [each.share for each in left_out if each.share is not None]
    time = f", {sum(shares):.1%} of the time" if shares else ""
    return f"{count:g} of {total:g} operators fell back from {asked}{time}"


def _ran_on(each: OperatorTime, asked: str) -> bool:
    """A place may have a detail behind it: ``cpu (XNNPACK)`` is the cpu."""
    return each.ran_on.partition(" ")[0] == asked


def _sums(pairs: Iterable[tuple[str, float | None]]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for name, value in pairs:
        if value is not None:
            sums[name] = sums.get(name, 0.0) + value
    return sums
