"""What a support check found, as a table with its reasons, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from trimtab.records import Support

_MOST_TYPES = 6


def support_json(found: Sequence[Support]) -> dict[str, Any]:
    return {"schema": "trimtab.check/1", "answers": [asdict(support) for support in found]}


def print_support(found: Sequence[Support], console: Console) -> None:
    """The table, then a line each for what is not supported and what to do."""
    table = Table("file", "device", "runtime", "accelerator", "answer", "operators")
    for support in found:
        runtime = f"{support.runtime} {support.runtime_version}".strip()
        cells = (support.file, support.device, runtime, support.accelerator, support.outcome)
        table.add_row(*map(escape, cells), escape(_operators(support)))
    console.print(table)
    for support in found:
        for line in support_lines(support):
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def support_lines(support: Support) -> list[str]:
    """Why, in the runtime's own words, and what to do; the runtime's warnings."""
    what = f"{support.file} on {support.device}"
    lines = []
    if support.unsupported:
        lines.append(f"{what}: {support.runtime} lacks {', '.join(support.unsupported)}")
    if support.reason:
        lines.append(f"{what}: {support.outcome}: {support.reason}")
    lines += [f"{what}: warning: {text}" for text in support.warnings]
    if support.advice:
        lines.append(f"  {support.advice}")
    return lines


def _operators(support: Support) -> str:
    if support.operators:
        places = sorted(support.operators.items())
        return "\n".join(f"{place}: {_types(types)}" for place, types in places)
    return f"unavailable: {support.operators_unavailable}" if support.operators_unavailable else "–"


def _types(types: Mapping[str, int]) -> str:
    ranked = sorted(types.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{count} {name}" for name, count in ranked[:_MOST_TYPES]]
    rest = sum(count for _, count in ranked[_MOST_TYPES:])
    return ", ".join([*shown, *([f"{rest} others"] if rest else [])])
