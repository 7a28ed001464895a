"""Which class lost most, and which one collapsed: not by chance, and beyond the mean drop."""

from itertools import pairwise
from math import comb

import numpy as np
import numpy.typing as npt
import pytest
from trimtab.measure import per_class
from trimtab.measure.accuracy import BoolArray
from trimtab.records import ClassAccuracy, Robustness

CLASSES, SAMPLES, RUNS = 10, 40, 300
Targets = npt.NDArray[np.int64]


def drawn(
    random: np.random.Generator, right: float, lost: npt.ArrayLike, won: float
) -> tuple[Targets, BoolArray, BoolArray]:
    """Shares: right in the float model; of these lost, by class; of the wrong ones won."""
    targets = np.repeat(np.arange(CLASSES), SAMPLES)
    lost_of_sample = np.broadcast_to(lost, CLASSES)[targets]
    before = random.random(len(targets)) < right
    draw = random.random(len(targets))
    return targets, before, np.where(before, draw >= lost_of_sample, draw < won)


def counted(samples: int, right: int, lost: int, won: int = 0) -> tuple[list[bool], list[bool]]:
    """The float model's and the variant's answers for one class, right or not."""
    before = [True] * right + [False] * (samples - right)
    after = [False] * lost + [True] * (right - lost + won)
    return before, after + [False] * (samples - len(after))


def changes(*classes: tuple[list[bool], list[bool]]) -> tuple[ClassAccuracy, ...]:
    targets = np.concatenate([[number] * len(each[0]) for number, each in enumerate(classes)])
    before, after = (np.concatenate([each[side] for each in classes]) for side in (0, 1))
    return per_class.changes(targets, before, after, ("cat", "dog"))


@pytest.mark.parametrize(
    ("right", "lost", "won"),
    [(0.9, 0.033, 0.3), (0.7, 0.2, 0.467), (0.9, 0.1, 0.1)],
    ids=["few differ", "many differ", "all classes lose as often"],
)
def test_where_no_class_lost_more_than_the_others_the_flag_keeps_its_level(
    right: float, lost: float, won: float
) -> None:
    random = np.random.default_rng(0)
    runs = [per_class.changes(*drawn(random, right, lost, won), ()) for _ in range(RUNS)]
    alarms = sum(any(each.collapsed for each in run) for run in runs)
    beyond = sum(any((each.change or 0.0) < -0.1 for each in run) for run in runs)
    assert alarms <= per_class.LEVEL * RUNS
    assert beyond > alarms  # a plain threshold would cry wolf oftener


def test_a_class_that_collapsed_is_flagged_and_no_other_one() -> None:
    random = np.random.default_rng(1)
    lost = np.full(CLASSES, 0.02)
    lost[3] = 0.58
    for _ in range(50):
        found = per_class.changes(*drawn(random, 0.95, lost, 0.2), ())
        assert [each.label for each in found if each.collapsed] == ["3"]


def test_a_class_that_falls_with_all_the_others_has_not_collapsed() -> None:
    fallen = counted(100, 95, 50)
    assert not any(each.collapsed for each in changes(fallen, fallen, fallen))


def test_many_samples_lost_and_as_many_won_is_no_collapse() -> None:
    churning, quiet = counted(100, 50, 40, won=40), counted(100, 95, 1, won=1)
    assert not any(each.collapsed for each in changes(churning, quiet, quiet))


def test_a_fall_of_less_than_the_margin_is_no_collapse_however_sure() -> None:
    small, quiet = counted(2000, 1900, 180), counted(2000, 1900, 0)
    first, _, _ = changes(small, quiet, quiet)
    assert first.p_value is not None
    assert first.p_value < 1e-6
    assert not first.collapsed


def test_too_few_samples_are_said_to_be_too_few_and_name_no_worst_class() -> None:
    gone, fine = counted(3, 3, 3), counted(100, 95, 2)
    first, second = changes(gone, fine)
    assert (first.enough, first.collapsed, first.change) == (False, False, -1.0)
    assert Robustness((first, second)).worst == second
    assert Robustness((first,)).worst is None


def test_enough_are_those_whose_complete_loss_would_show() -> None:
    needed = per_class.needed_right(10)
    assert needed == 8
    fine = [counted(100, 95, 0)] * 9
    just, short = (changes(counted(n, n, n), *fine)[0] for n in (needed, needed - 1))
    assert (just.enough, just.collapsed) == (True, True)
    assert (short.enough, short.collapsed) == (False, False)


def test_changes_and_intervals_are_paired_and_named() -> None:
    first, second, third = changes(
        counted(20, 19, 11), counted(50, 45, 1, won=2), counted(50, 45, 0)
    )
    assert [each.label for each in (first, second, third)] == ["cat", "dog", "2"]
    assert first.float_accuracy == pytest.approx(0.95)
    assert first.accuracy == pytest.approx(0.40)
    assert first.change == pytest.approx(-0.55)
    assert first.ci95 is not None
    assert -1 <= first.ci95[0] < -0.55 < first.ci95[1] < 0
    assert second.change == pytest.approx(0.02)
    assert second.ci95 is not None
    assert second.ci95[0] < 0 < second.ci95[1]


def test_the_interval_of_the_largest_drop_holds_it_although_it_was_picked() -> None:
    random = np.random.default_rng(2)
    held = 0
    for _ in range(RUNS):
        interval = per_class.worst_drop_interval(*drawn(random, 0.9, 0.05, 0.2))
        assert interval is not None
        held += interval[0] <= 0.9 * 0.05 - 0.1 * 0.2 <= interval[1]
    assert held >= 0.95 * RUNS


def test_the_p_value_is_the_larger_of_mcnemars_and_fishers_corrected_for_the_classes() -> None:
    first, *_ = changes(counted(12, 12, 9), counted(30, 30, 2))
    total, lost = 42, 11
    fisher = sum(comb(12, k) * comb(30, lost - k) for k in range(9, 12)) / comb(total, lost)
    mcnemar = 0.5**9
    assert first.p_value == pytest.approx(2 * max(fisher, mcnemar))


def test_holm_corrects_the_smallest_for_all_and_keeps_the_order() -> None:
    assert per_class.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert per_class.holm([0.9, 0.8]) == [1.0, 1.0]
    assert per_class.holm([]) == []
    random = np.random.default_rng(3)
    p_values = random.random(50)
    corrected = np.array(per_class.holm(list(p_values)))[np.argsort(p_values)]
    assert all(first <= second for first, second in pairwise(corrected))
