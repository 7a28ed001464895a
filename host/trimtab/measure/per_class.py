"""Accuracy class by class against the float model, and which class collapsed; pure.

A class has collapsed where its accuracy fell by more than :data:`MARGIN` beyond the mean drop, and
chance is excluded: the larger of two exact p-values must stay below :data:`LEVEL` after Holm's
correction for the number of classes (Holm 1979, "A simple sequentially rejective multiple test
procedure"). The two: McNemar's, of as many samples won as lost within the class, and Fisher's, of
samples lost as often in this class as in the others. That both must be small keeps the level
(Berger 1982, "Multiparameter hypothesis testing and acceptance sampling"). docs/robustness.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from trimtab.measure.accuracy import BoolArray, drop_interval
from trimtab.measure.stats import Interval
from trimtab.records import ClassAccuracy

MARGIN = 0.10
LEVEL = 0.05
_Labels = npt.NDArray[np.integer]


@dataclass(frozen=True)
class _Counts:
    """Of one class: its samples, and those that the float model, and that the variant has right.

    ``lost`` and ``won``: those that only the one and only the other has right. ``elsewhere``:
    samples of all the other classes, and those lost among them.
    """

    number: int
    samples: int
    right_before: int
    right_after: int
    lost: int
    won: int
    elsewhere: tuple[int, int]

    @property
    def drop(self) -> float:
        return (self.lost - self.won) / self.samples


def accuracies(
    targets: _Labels, right: BoolArray, names: Sequence[str]
) -> tuple[ClassAccuracy, ...]:
    """Every class that the targets have, by its number, without comparing anything."""
    return tuple(
        ClassAccuracy(class_name(each.number, names), each.samples, each.right_after / each.samples)
        for each in _counts(targets, right, right)
    )


def itself(classes: Sequence[ClassAccuracy]) -> tuple[ClassAccuracy, ...]:
    """The float model against itself: no class changed."""
    return tuple(replace(each, float_accuracy=each.accuracy, change=0.0) for each in classes)


def changes(
    targets: _Labels, before: BoolArray, after: BoolArray, names: Sequence[str]
) -> tuple[ClassAccuracy, ...]:
    """``before`` is whether the float model, ``after`` whether the variant has a sample right."""
    counts = _counts(targets, before, after)
    p_values = holm([_p_value(each) for each in counts])
    mean_drop = float(before.mean() - after.mean())
    return tuple(
        ClassAccuracy(
            label=class_name(each.number, names),
            count=each.samples,
            accuracy=each.right_after / each.samples,
            float_accuracy=each.right_before / each.samples,
            change=0.0 - each.drop,
            ci95=_change_interval(each),
            p_value=p_value,
            enough=p_value <= LEVEL or is_enough(each.right_before, len(counts)),
            collapsed=p_value <= LEVEL and each.drop > mean_drop + MARGIN,
        )
        for each, p_value in zip(counts, p_values, strict=True)
    )


def worst_drop_interval(targets: _Labels, before: BoolArray, after: BoolArray) -> Interval | None:
    """95 % interval of the largest drop of any class that has samples enough.

    Bonferroni's intervals hold the drops of all classes at once; so the largest drop lies between
    the largest of their lower and of their upper ends, whichever class it is of.
    """
    counts = _counts(targets, before, after)
    judged = [each for each in counts if is_enough(each.right_before, len(counts))]
    if not judged:
        return None
    z = _normal_quantile(1 - LEVEL / (2 * len(judged)))
    ends = [drop_interval(each.lost, each.won, each.samples, z) for each in judged]
    largest = max(each.drop for each in judged)
    return min(largest, max(low for low, _ in ends)), max(largest, max(high for _, high in ends))


def is_enough(right_before: int, class_count: int) -> bool:
    """Whether the loss of all that the float model has right would be told from chance."""
    return right_before >= needed_right(class_count)


def needed_right(class_count: int) -> int:
    """The fewest n with 2^-n at most LEVEL / classes: 8 for 10 classes, 15 for 1,000."""
    return int(np.ceil(np.log2(class_count / LEVEL)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Each corrected for all: one of them below a level is an error no oftener than that."""
    corrected = [1.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(np.argsort(p_values, kind="stable")):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = highest
    return corrected


def class_name(number: int, names: Sequence[str]) -> str:
    return names[number] if 0 <= number < len(names) else str(number)


def _counts(targets: _Labels, before: BoolArray, after: BoolArray) -> list[_Counts]:
    """In the order of the classes' numbers."""
    numbers, index, samples = np.unique(targets, return_inverse=True, return_counts=True)

    def of_class(chosen: BoolArray) -> npt.NDArray[np.int64]:
        return np.bincount(index[chosen], minlength=len(numbers))

    lost, won = of_class(before & ~after), of_class(~before & after)
    right_before, right_after = of_class(before), of_class(after)
    return [
        _Counts(
            number=int(numbers[at]),
            samples=int(samples[at]),
            right_before=int(right_before[at]),
            right_after=int(right_after[at]),
            lost=int(lost[at]),
            won=int(won[at]),
            elsewhere=(len(targets) - int(samples[at]), int(lost.sum() - lost[at])),
        )
        for at in range(len(numbers))
    ]


def _change_interval(counts: _Counts) -> Interval:
    low, high = drop_interval(counts.lost, counts.won, counts.samples)
    return min(-high, -counts.drop), max(-low, -counts.drop)


def _p_value(counts: _Counts) -> float:
    return max(_mcnemar(counts.lost, counts.won), _fisher(counts))


def _mcnemar(lost: int, won: int) -> float:
    """Exact, one-sided: at least so many of the differing samples lost (McNemar 1947)."""
    from scipy.special import bdtrc

    return float(bdtrc(lost - 1, lost + won, 0.5)) if lost else 1.0


def _fisher(counts: _Counts) -> float:
    """Exact, one-sided: at least so many of all lost samples in this class (Fisher 1935)."""
    others, others_lost = counts.elsewhere
    most = min(counts.samples, counts.lost + others_lost)
    in_class = np.arange(counts.lost, most + 1)
    total, lost = counts.samples + others, counts.lost + others_lost
    logarithms = (
        _log_choose(counts.samples, in_class)
        + _log_choose(others, lost - in_class)
        - _log_choose(total, np.array(lost))
    )
    return min(1.0, float(np.exp(logarithms).sum()))


def _log_choose(total: int, chosen: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Logarithm of the binomial coefficient; -inf for more than there are."""
    from scipy.special import gammaln

    rest = total - chosen
    possible = np.asarray(
        gammaln(total + 1) - gammaln(chosen + 1) - gammaln(np.maximum(rest, 0) + 1)
    )
    return np.where(rest >= 0, possible, -np.inf)


def _normal_quantile(probability: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(probability))
