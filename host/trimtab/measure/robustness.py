"""Adds to results what their mean accuracy hides: per-class changes, accuracy under corruption."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from trimtab.measure import accuracy, per_class
from trimtab.measure.accuracy import CannotScore
from trimtab.measure.corrupted import (
    NOT_ASKED,
    Corrupted,
    corrupted_accuracies,
    robust_accuracy,
)
from trimtab.measure.derive import float_result, judged_by_both, outputs_of
from trimtab.measure.summarize import Scoring, figure
from trimtab.measure.unavailable import unavailable
from trimtab.metrics import METRICS
from trimtab.records import Check, ClassAccuracy, Metric, Result, Robustness

CHECK_NAME = "NO_CLASS_COLLAPSED"
FIGURES = ("worst_class_drop", "robust_accuracy")
_NO_LABELS = "no evaluation set with labels was given"
_OWN_METRIC = "the task has a metric of its own: classes are told apart for top-1 accuracy alone"
_ADVICE = (
    "look at that class's samples; calibrate with more of them, or keep the last layers in float; "
    'to refuse such variants: worst_class_drop = "<= 0.05" in [require]'
)
_SHOWN = 3
_TOO_FEW_ADVICE = "evaluate on more samples of each class"


@dataclass(frozen=True)
class _Against:
    """The float model's result for another, or why there is none."""

    result: Result | None
    reason: str


def with_robustness(
    results: Sequence[Result],
    scoring: Scoring | None,
    corrupted: Sequence[Mapping[str, Path]] = (),
) -> tuple[Result, ...]:
    """In order; ``corrupted``: each result's files of outputs by corruption, if there are any."""
    files = {id(result): each for result, each in zip(results, corrupted, strict=False)}
    return tuple(
        result if result.error is not None else _examined(result, results, scoring, files)
        for result in results
    )


def collapse_text(each: ClassAccuracy) -> str:
    """``class 3 fell from 0.9500 to 0.4000``."""
    return f"class {each.label} fell from {each.float_accuracy:.4f} to {each.accuracy:.4f}"


def collapsed_text(found: Robustness) -> str:
    """The classes that collapsed, the largest fall first, beside the drop of all samples."""
    told = [f"{collapse_text(each)} on {each.count} samples" for each in found.collapsed]
    shown = "; ".join(told[:_SHOWN])
    more = f"; so did {len(told) - _SHOWN} more classes" if len(told) > _SHOWN else ""
    return f"{shown}{more}; all samples by {found.mean_drop:.4f}"


def _examined(
    result: Result,
    results: Sequence[Result],
    scoring: Scoring | None,
    files: Mapping[int, Mapping[str, Path]],
) -> Result:
    found = float_result(result, results)
    against = _Against(None, found) if isinstance(found, str) else _Against(found, "")
    classes, drop = _classes(result, against, scoring)
    corruptions, robust = _corruptions(result, against, scoring, files)
    robustness = replace(
        classes,
        corruptions=corruptions.corruptions,
        corruptions_reason=corruptions.corruptions_reason,
        severity=corruptions.severity,
    )
    figures = {"worst_class_drop": drop, "robust_accuracy": robust}
    judged = {
        name: judged_by_both(name, metric, against.result or result, result)
        for name, metric in figures.items()
    }
    merged = {**result.metrics, **judged}
    return replace(
        result,
        metrics={name: merged[name] for name in METRICS if name in merged},
        checks=(*result.checks, *_check(result, against, robustness)),
        robustness=robustness,
    )


def _classes(
    result: Result, against: _Against, scoring: Scoring | None
) -> tuple[Robustness, Metric]:
    try:
        targets = _class_numbers(scoring)
        right = accuracy.correct(outputs_of(result), targets)
    except CannotScore as reason:
        return _without_classes(str(reason))
    names = scoring.evaluation.class_names if scoring is not None else ()
    own = per_class.accuracies(targets, right, names)
    if against.result is None:
        missing = unavailable("worst_class_drop", against.reason)
        return Robustness(own, against.reason), missing
    if against.result is result:
        exact = figure("worst_class_drop", 0.0, provenance="derived")
        return Robustness(per_class.itself(own), mean_drop=0.0), exact
    try:
        before = accuracy.correct(outputs_of(against.result), targets)
    except CannotScore as reason:
        told = f"the float model's accuracy: {reason}"
        return Robustness(own, told), unavailable("worst_class_drop", told)
    changed = per_class.changes(targets, before, right, names)
    found = Robustness(changed, mean_drop=float(before.mean() - right.mean()))
    if found.worst is None:
        return found, unavailable("worst_class_drop", _too_few(changed))
    interval = per_class.worst_drop_interval(targets, before, right)
    worst = -(found.worst.change or 0.0)
    return found, figure("worst_class_drop", worst + 0.0, interval, "derived")


def _without_classes(reason: str) -> tuple[Robustness, Metric]:
    return Robustness(reason=reason), unavailable("worst_class_drop", reason)


def _class_numbers(scoring: Scoring | None) -> accuracy.ClassArray:
    """Raises CannotScore where the targets are not one class number a sample."""
    if scoring is None:
        raise CannotScore(_NO_LABELS)
    if scoring.metric is not None:
        raise CannotScore(_OWN_METRIC)
    targets = scoring.evaluation.targets
    if targets.ndim != 1 or not np.issubdtype(targets.dtype, np.integer):
        raise CannotScore(
            f"the targets have type {targets.dtype} and shape {targets.shape}, not one class "
            "number a sample"
        )
    if not len(targets):
        raise CannotScore("the evaluation set is empty")
    return np.asarray(targets, dtype=np.int64)


def _corruptions(
    result: Result,
    against: _Against,
    scoring: Scoring | None,
    files: Mapping[int, Mapping[str, Path]],
) -> tuple[Robustness, Metric]:
    copies = scoring.evaluation.corrupted if scoring is not None else None
    if scoring is None or copies is None:
        return _without_corruptions(NOT_ASKED)
    is_float = against.result is result
    try:
        clean = outputs_of(result)
        own = _loaded(files.get(id(result), {}))
        of_float = {} if is_float else _loaded(files.get(id(against.result), {}))
        found = corrupted_accuracies(scoring, clean, own, of_float)
        robust = robust_accuracy(scoring, own)
    except CannotScore as reason:
        return _without_corruptions(str(reason))
    return Robustness(corruptions=found, severity=copies.severity), robust


def _without_corruptions(reason: str) -> tuple[Robustness, Metric]:
    return Robustness(corruptions_reason=reason), unavailable("robust_accuracy", reason)


def _loaded(files: Mapping[str, Path]) -> Corrupted:
    return {name: accuracy.load_outputs(path) for name, path in files.items()}


def _check(result: Result, against: _Against, found: Robustness) -> tuple[Check, ...]:
    """None for a file by itself, which is no variant of anything."""
    if result.variant is None:
        return ()
    concerns = ("accuracy",)
    if against.result is result:
        seen = "it is the float model itself"
        return (Check(CHECK_NAME, "not_applicable", False, concerns, seen),)
    if found.mean_drop is None:
        seen = f"not compared: {found.reason}"
        return (Check(CHECK_NAME, "not_applicable", False, concerns, seen),)
    if found.worst is None:
        seen = _too_few(found.per_class)
        return (Check(CHECK_NAME, "unknown", False, concerns, seen, _TOO_FEW_ADVICE),)
    if found.collapsed:
        return (Check(CHECK_NAME, "failed", False, concerns, collapsed_text(found), _ADVICE),)
    return (Check(CHECK_NAME, "passed", False, concerns, _passed_text(found)),)


def _passed_text(found: Robustness) -> str:
    few = sum(not each.enough for each in found.per_class)
    worst = found.worst_fallen
    seen = "no class fell"
    if worst is not None:
        seen = (
            f"at most {collapse_text(worst)} on {worst.count} samples; "
            f"all samples by {(found.mean_drop or 0.0) + 0.0:.4f}"
        )
    return f"{seen}; {few} of {len(found.per_class)} classes have too few to tell" if few else seen


def _too_few(classes: Sequence[ClassAccuracy]) -> str:
    needed = per_class.needed_right(len(classes))
    return (
        f"too few samples: of {len(classes)} classes none has the {needed} that the float model "
        "must have right for a fall to be told from chance"
    )
