"""The worst class of each result, and its accuracy under corruption, on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from trimtab.decide.labels import distinct_labels
from trimtab.records import Result, Robustness
from trimtab.report.robustness_view import MISSING, is_compared, worst_text
from trimtab.report.terminal import printable


def print_robustness(results: Sequence[Result], console: Console) -> None:
    """Nothing where no result was compared class by class, nor measured under corruption."""
    labels = _labels(results)
    shown = [
        (label, result.robustness, is_compared(result))
        for label, result in zip(labels, results, strict=True)
        if result.robustness is not None and (is_compared(result) or result.robustness.corruptions)
    ]
    if not shown:
        return
    names = list(dict.fromkeys(each.name for _, found, _ in shown for each in found.corruptions))
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for column in ("candidate", "worst class", *names):
        table.add_column(column, justify="right" if column in names else "left", overflow="fold")
    for label, found, compared in shown:
        worst = _worst_cell(found) if compared else Text(MISSING)
        table.add_row(Text(printable(label)), worst, *_accuracies(found, names))
    console.print(Text("\nPer class" + (" and under corruption" if names else ""), style="bold"))
    console.print(table)
    if names:
        note = "accuracy on corrupted inputs, in brackets the points against the float model's"
        console.print(Text(note, style="dim"))


def _labels(results: Sequence[Result]) -> list[str]:
    several = len({result.device for result in results}) > 1
    labels: list[str] = [""] * len(results)
    for device in dict.fromkeys(result.device for result in results):
        own = [index for index, result in enumerate(results) if result.device == device]
        for index, label in zip(own, distinct_labels([results[i] for i in own]), strict=True):
            labels[index] = f"{device.name}: {label}" if several else label
    return labels


def _worst_cell(found: Robustness) -> Text:
    fallen = len(found.collapsed)
    if not fallen:
        return Text(printable(worst_text(found)))
    told = "COLLAPSED" if fallen == 1 else f"COLLAPSED, with {fallen - 1} more"
    return Text(printable(f"{worst_text(found)} {told}"), style="yellow")


def _accuracies(found: Robustness, names: Sequence[str]) -> list[Text]:
    by_name = {each.name: each for each in found.corruptions}
    cells = []
    for name in names:
        each = by_name.get(name)
        text = Text(MISSING if each is None else f"{each.accuracy:.3f}")
        if each is not None and each.drop is not None:
            text.append(f" ({-100 * each.drop + 0.0:+.1f})", style="dim")
        cells.append(text)
    return cells
