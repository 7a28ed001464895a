"""Accuracy on corrupted inputs, against the float model on the same ones; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from trimtab.measure import accuracy
from trimtab.measure.accuracy import Array, BoolArray, Outputs
from trimtab.measure.stats import Interval
from trimtab.measure.summarize import Scoring, figure
from trimtab.measure.unavailable import unavailable
from trimtab.records import CorruptedAccuracy, Metric

Corrupted = Mapping[str, Outputs]
NOT_ASKED = "no corruptions were asked for: [robustness] in trimtab.toml"


def corrupted_accuracies(
    scoring: Scoring, clean: Outputs, corrupted: Corrupted, of_float: Corrupted
) -> tuple[CorruptedAccuracy, ...]:
    """``of_float``: the float model's outputs; empty where it has none, or is this model itself.

    Raises CannotScore.
    """
    copies = scoring.evaluation.corrupted
    if copies is None:
        return ()
    targets = scoring.evaluation.targets[copies.samples]
    same = {name: array[copies.samples] for name, array in clean.items()}
    score = _top1 if scoring.metric is None else _own_metric(scoring.metric)
    return tuple(
        score(name, targets, outputs, same, of_float.get(name))
        for name, outputs in corrupted.items()
    )


def robust_accuracy(scoring: Scoring, corrupted: Corrupted) -> Metric:
    """The mean over the corruptions. Raises CannotScore.

    The copies of one sample are not independent: the interval is Wilson's with the effective
    sample size that the spread of the samples' own means gives.
    """
    copies = scoring.evaluation.corrupted
    if copies is None or not corrupted:
        return unavailable("robust_accuracy", NOT_ASKED)
    targets = scoring.evaluation.targets[copies.samples]
    if scoring.metric is not None:
        scores = [
            accuracy.custom_score(each, targets, scoring.metric) for each in corrupted.values()
        ]
        return figure("robust_accuracy", float(np.mean(scores)))
    right = [accuracy.correct(each, targets) for each in corrupted.values()]
    return figure("robust_accuracy", float(np.mean(right)), _clustered_interval(right))


def _top1(
    name: str, targets: Array, outputs: Outputs, clean: Outputs, of_float: Outputs | None
) -> CorruptedAccuracy:
    right = accuracy.correct(outputs, targets)
    before = accuracy.correct(of_float, targets) if of_float is not None else None
    return CorruptedAccuracy(
        name=name,
        count=len(targets),
        accuracy=float(right.mean()),
        clean_accuracy=float(accuracy.correct(clean, targets).mean()),
        accuracy_ci95=accuracy.wilson_interval(int(right.sum()), len(right)),
        float_accuracy=float(before.mean()) if before is not None else None,
        drop=float(before.mean() - right.mean()) if before is not None else None,
        ci95=accuracy.paired_drop_interval(before, right) if before is not None else None,
    )


def _own_metric(metric: accuracy.MetricFunction) -> Callable[..., CorruptedAccuracy]:
    """The same figures by the task's own metric, which gives no intervals."""

    def score(
        name: str, targets: Array, outputs: Outputs, clean: Outputs, of_float: Outputs | None
    ) -> CorruptedAccuracy:
        now = accuracy.custom_score(outputs, targets, metric)
        was = accuracy.custom_score(of_float, targets, metric) if of_float is not None else None
        return CorruptedAccuracy(
            name=name,
            count=len(targets),
            accuracy=now,
            clean_accuracy=accuracy.custom_score(clean, targets, metric),
            float_accuracy=was,
            drop=was - now if was is not None else None,
        )

    return score


def _clustered_interval(right: Sequence[BoolArray]) -> Interval:
    """Between as many samples as were copied and as many as there are copies."""
    of_samples = np.mean(right, axis=0)
    share, count = float(of_samples.mean()), len(of_samples)
    spread = float(of_samples.var())
    effective = share * (1 - share) / spread * count if spread > 0 else float(count)
    effective = min(max(effective, float(count)), float(count * len(right)))
    return accuracy.wilson_interval(share * effective, effective)
