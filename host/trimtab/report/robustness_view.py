"""Per class and under corruption: as plain data, and as tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from trimtab.records import ClassAccuracy, CorruptedAccuracy, Result, Robustness

MISSING = "–"
_MOST_CLASSES = 20
_FULL_COLOUR_POINTS = 30.0


@dataclass(frozen=True)
class ClassCell:
    """``text``: the change in points. ``shade``: 0 to 100; ``lost``: for worse."""

    text: str
    interval: str
    title: str
    shade: int
    lost: bool
    collapsed: bool
    is_enough: bool


@dataclass(frozen=True)
class ClassRow:
    """``worst``: the class that lost most, or why none is named."""

    label: str
    worst: str
    cells: tuple[ClassCell, ...]
    warning: str


@dataclass(frozen=True)
class CorruptedCell:
    text: str
    interval: str
    drop: str


@dataclass(frozen=True)
class RobustnessView:
    """``classes``: columns of the changes, (name, samples). ``notes`` say what is not there."""

    classes: tuple[tuple[str, int], ...]
    class_rows: tuple[ClassRow, ...]
    corruptions: tuple[str, ...]
    corrupted_rows: tuple[tuple[str, tuple[CorruptedCell, ...]], ...]
    notes: tuple[str, ...]


def robustness_view(results: Sequence[Result], labels: Sequence[str]) -> RobustnessView | None:
    """None where nothing was found: no labels, no classes, no corruptions."""
    found = [
        (label, result.robustness)
        for result, label in zip(results, labels, strict=True)
        if result.robustness is not None
    ]
    compared = [(label, each) for label, each in found if _is_compared(each)]
    corrupted = [(label, each) for label, each in found if each.corruptions]
    if not compared and not corrupted:
        return None
    shown = _shown_classes([each for _, each in compared])
    return RobustnessView(
        classes=shown,
        class_rows=tuple(_class_row(label, each, shown) for label, each in compared),
        corruptions=_corruption_names([each for _, each in corrupted]),
        corrupted_rows=tuple(
            (label, tuple(_corrupted_cell(cell) for cell in each.corruptions))
            for label, each in corrupted
        ),
        notes=tuple(_notes([each for _, each in compared], [each for _, each in corrupted])),
    )


def robustness_json(found: Robustness | None) -> dict[str, Any] | None:
    """null for a run from before it was looked at."""
    if found is None:
        return None
    return {
        "reason": found.reason,
        "mean_drop": found.mean_drop,
        "per_class": [_class_json(each) for each in found.per_class],
        "worst_class": found.worst_fallen.label if found.worst_fallen is not None else None,
        "collapsed_classes": [each.label for each in found.collapsed],
        "corruptions_reason": found.corruptions_reason,
        "severity": found.severity,
        "corruptions": {each.name: _corruption_json(each) for each in found.corruptions},
    }


def worst_text(found: Robustness) -> str:
    """``8: 0.9722 to 0.9444``, that none fell, or that there are too few samples."""
    if found.worst is None:
        return "too few samples to tell"
    worst = found.worst_fallen
    if worst is None:
        return "none fell"
    return f"{worst.label}: {worst.float_accuracy:.4f} to {worst.accuracy:.4f}"


def is_compared(result: Result) -> bool:
    """With another model, which is then the float model."""
    return result.robustness is not None and _is_compared(result.robustness)


def _is_compared(found: Robustness) -> bool:
    return any(each.p_value is not None for each in found.per_class)


def _class_json(each: ClassAccuracy) -> dict[str, Any]:
    document = asdict(each)
    document["enough_samples"] = document.pop("enough")
    return document


def _corruption_json(each: CorruptedAccuracy) -> dict[str, Any]:
    document = asdict(each)
    del document["name"]
    return document


def _shown_classes(compared: Sequence[Robustness]) -> tuple[tuple[str, int], ...]:
    """Those that changed most in any of the results, in the order of their numbers."""
    counts = {each.label: each.count for found in compared for each in found.per_class}
    largest = {
        label: max(
            abs(each.change or 0.0)
            for found in compared
            for each in found.per_class
            if each.label == label
        )
        for label in counts
    }
    kept = sorted(counts, key=lambda label: -largest[label])[:_MOST_CLASSES]
    return tuple((label, count) for label, count in counts.items() if label in kept)


def _class_row(label: str, found: Robustness, shown: Sequence[tuple[str, int]]) -> ClassRow:
    by_label = {each.label: each for each in found.per_class}
    fallen = [each.label for each in found.collapsed]
    return ClassRow(
        label=label,
        worst=worst_text(found),
        cells=tuple(_class_cell(by_label.get(name)) for name, _ in shown),
        warning=f"collapsed: {', '.join(fallen)}" if fallen else "",
    )


def _class_cell(each: ClassAccuracy | None) -> ClassCell:
    if each is None or each.change is None:
        return ClassCell(MISSING, "", "", 0, False, False, False)
    points = 100 * each.change
    title = f"{each.float_accuracy:.4f} to {each.accuracy:.4f} on {each.count} samples"
    interval = ""
    if each.ci95 is not None:
        low, high = (_points(100 * end, 0) for end in each.ci95)
        interval = f"[{low}, {high}]"
    if not each.enough:
        title += "; too few samples to tell a fall from chance"
    return ClassCell(
        text=_points(points),
        interval=interval,
        title=title,
        shade=round(min(1.0, abs(points) / _FULL_COLOUR_POINTS) * 100),
        lost=points < 0,
        collapsed=each.collapsed,
        is_enough=each.enough,
    )


def _points(points: float, places: int = 1) -> str:
    """With a sign, and a zero without one."""
    shown = f"{points:+.{places}f}"
    return "0" if float(shown) == 0 else shown.replace("-", "−")


def _corruption_names(corrupted: Sequence[Robustness]) -> tuple[str, ...]:
    return tuple(each.name for each in corrupted[0].corruptions) if corrupted else ()


def _corrupted_cell(each: CorruptedAccuracy) -> CorruptedCell:
    interval = ""
    if each.accuracy_ci95 is not None:
        interval = "[{:.3f}, {:.3f}]".format(*each.accuracy_ci95)
    return CorruptedCell(f"{each.accuracy:.3f}", interval, _drop_text(each))


def _drop_text(each: CorruptedAccuracy) -> str:
    """Against the float model under the same corruption, in points."""
    if each.drop is None:
        return ""
    text = _points(-100 * each.drop)
    if each.ci95 is None:
        return text
    low, high = (_points(-100 * end) for end in reversed(each.ci95))
    return f"{text} [{low}, {high}]"


def _notes(compared: Sequence[Robustness], corrupted: Sequence[Robustness]) -> list[str]:
    notes = []
    class_count = len(compared[0].per_class) if compared else 0
    if class_count > _MOST_CLASSES:
        notes.append(f"of {class_count} classes the {_MOST_CLASSES} that changed most")
    few = sum(not each.enough for found in compared[:1] for each in found.per_class)
    if few:
        notes.append(f"{few} of {class_count} classes have too few samples to tell a fall")
    if corrupted:
        first = corrupted[0]
        count = first.corruptions[0].count
        notes.append(
            f"corrupted: {count} samples of the evaluation set, severity {first.severity} of 5 "
            "(a task's own corruptions: as they are)"
        )
    else:
        notes.append(
            "no corruptions were asked for: corruptions = "
            '["noise", "blur", "brightness", "crop"] in [robustness]'
        )
    return notes
