"""An operator profile as a table on a terminal, and as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from trimtab.operator_profile import OperatorProfile, OperatorTime
from trimtab.records import Result
from trimtab.report.terminal import printable

MOST_ROWS = 15
_NAME_WIDTH = 48
_COLUMNS = ("operator", "name", "count", "ms", "share", "ran on")
_RIGHT = ("count", "ms", "share")


def print_profiles(results: Sequence[Result], console: Console) -> None:
    """One table a result that was profiled; nothing for the others."""
    for result in results:
        profile = result.raw.profile if result.raw is not None else None
        if profile is not None:
            _print_profile(result, profile, console)


def profile_json(profile: OperatorProfile | None) -> dict[str, Any] | None:
    """Every operator, in the order they ran; null where no profile was asked for."""
    if profile is None:
        return None
    return {
        **asdict(profile),
        "operators_ms": profile.operators_ms,
        "unexplained_ms": profile.unexplained_ms,
    }


def profile_rows(profile: OperatorProfile) -> list[tuple[str, ...]]:
    """The dearest operators (without times: the first ones) and one row for the rest."""
    ranked = sorted(profile.operators, key=lambda each: -(each.total_ms or 0.0))
    shown, rest = ranked[:MOST_ROWS], ranked[MOST_ROWS:]
    rows = [_row(each) for each in shown]
    if rest:
        rows.append(rest_row(rest))
    return rows


def profile_notes(profile: OperatorProfile) -> list[str]:
    """How the operators' sum stands to the whole, or why there are no times."""
    if profile.unavailable is not None:
        return [f"times unavailable: {profile.unavailable}"]
    total, p50, rest = profile.operators_ms, profile.p50_ms, profile.unexplained_ms
    if total is None or p50 is None or rest is None:
        return []
    source = [profile.source] if profile.source is not None else []
    return [
        *source,
        f"operators {total:.4g} ms of the profile pass's p50 {p50:.4g} ms "
        f"({profile.inference_count} inferences), unexplained {rest:.4g} ms; "
        "profiling itself makes both dearer than the measured latency",
    ]


def _print_profile(result: Result, profile: OperatorProfile, console: Console) -> None:
    threads = result.settings.threads
    title = f"Operators of {result.label}, {threads} thread{'s' if threads > 1 else ''}"
    console.print(Text(f"\n{printable(title)} on {printable(result.device.name)}", style="bold"))
    if profile.operators:
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
        for name in _COLUMNS:
            table.add_column(name, justify="right" if name in _RIGHT else "left", overflow="fold")
        for row in profile_rows(profile):
            table.add_row(*(Text(printable(cell)) for cell in row))
        console.print(table)
    for note in profile_notes(profile):
        console.print(Text(printable(note), style="dim"))


def _row(each: OperatorTime) -> tuple[str, ...]:
    return (
        each.type,
        _shortened(each.name),
        f"{each.count:g}",
        "–" if each.total_ms is None else f"{each.total_ms:.4f}",
        "–" if each.share is None else f"{each.share:.1%}",
        each.ran_on,
    )


def _shortened(name: str) -> str:
    """Fused operators carry the names of all they were made of."""
    return name if len(name) <= _NAME_WIDTH else f"{name[: _NAME_WIDTH - 1]}…"


def rest_row(rest: Sequence[OperatorTime]) -> tuple[str, ...]:
    """Many operators as one row."""
    times = [each.total_ms for each in rest if each.total_ms is not None]
    shares = [each.share for each in rest if each.share is not None]
    return (
        f"{len(rest)} more",
        "",
        f"{sum(each.count for each in rest):g}",
        f"{sum(times):.4f}" if times else "–",
        f"{sum(shares):.1%}" if shares else "–",
        ", ".join(dict.fromkeys(each.ran_on for each in rest)),
    )
