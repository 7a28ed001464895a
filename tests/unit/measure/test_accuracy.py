from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq
from trimtab.measure import accuracy

SCORES = np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]], dtype=np.float32)


def test_the_class_is_the_one_with_the_highest_score() -> None:
    assert accuracy.predicted_classes({"y": SCORES}).tolist() == [1, 0, 1]
    assert accuracy.predicted_classes({"y": SCORES.reshape(3, 1, 2, 1)}).tolist() == [1, 0, 1]


def test_integers_are_classes_already() -> None:
    labels = np.array([[3], [1]], dtype=np.int32)
    assert accuracy.predicted_classes({"y": labels}).tolist() == [3, 1]


def test_a_single_sample_keeps_its_axis() -> None:
    assert accuracy.predicted_classes({"y": SCORES[:1]}).tolist() == [1]


def test_a_sample_with_nan_scores_is_never_right() -> None:
    scores = np.array([[np.nan, 0.1], [0.9, 0.1]], dtype=np.float32)
    assert accuracy.correct({"y": scores}, np.array([0, 0])).tolist() == [False, True]


@pytest.mark.parametrize(
    ("outputs", "reason"),
    [
        ({"a": SCORES, "b": SCORES}, "needs one output, the model has a, b"),
        ({"mask": np.zeros((3, 2, 4, 4))}, r"mask has shape \(3, 2, 4, 4\)"),
        ({"p": np.zeros(3)}, r"p has shape \(3,\)"),
    ],
)
def test_outputs_without_classes_say_why(outputs: dict[str, Any], reason: str) -> None:
    with pytest.raises(accuracy.CannotScore, match=reason):
        accuracy.predicted_classes(outputs)


def test_another_number_of_outputs_than_targets_is_not_scored() -> None:
    with pytest.raises(accuracy.CannotScore, match="returned 3 outputs for targets"):
        accuracy.correct({"y": SCORES}, np.array([1, 0]))


def test_the_task_s_metric_gets_outputs_and_targets() -> None:
    def metric(outputs: Any, targets: Any) -> float:
        return float((outputs.argmax(1) == targets).sum())

    assert accuracy.custom_score({"y": SCORES}, np.array([1, 0, 0]), metric) == 2.0


@pytest.mark.parametrize(
    ("metric", "reason"),
    [
        (lambda _outputs, _targets: float("nan"), "returned nan"),
        (lambda _outputs, _targets: 1 / 0, "failed: ZeroDivisionError"),
    ],
)
def test_a_metric_that_fails_is_a_reason_and_no_figure(metric: Any, reason: str) -> None:
    with pytest.raises(accuracy.CannotScore, match=reason):
        accuracy.custom_score({"y": SCORES}, np.array([1, 0, 0]), metric)


def test_a_file_that_is_no_npz_is_a_reason(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"nothing")
    with pytest.raises(accuracy.CannotScore, match="cannot be read"):
        accuracy.load_outputs(tmp_path / "x.npz")


@pytest.mark.parametrize(("successes", "count"), [(350, 360), (1, 20), (7, 10)])
def test_wilson_s_interval_inverts_the_score_test(successes: int, count: int) -> None:
    share = successes / count

    def score(true_share: float) -> float:
        return (share - true_share) ** 2 - 1.959964**2 * true_share * (1 - true_share) / count

    expected = (brentq(score, 1e-9, share), brentq(score, share, 1 - 1e-9))
    assert accuracy.wilson_interval(successes, count) == pytest.approx(expected, abs=1e-6)


def test_a_perfect_score_still_has_an_interval_within_bounds() -> None:
    low, high = accuracy.wilson_interval(360, 360)
    assert 0.98 < low < 1.0
    assert high == 1.0


def right(*values: int) -> Any:
    return np.array(values, dtype=np.bool_)


def test_the_drop_s_interval_comes_from_the_samples_that_changed() -> None:
    reference = right(*[1] * 95, *[0] * 5)
    few_changes = right(*[0] * 2, *[1] * 93, *[0] * 5)
    many_changes = right(*[0] * 6, *[1] * 93, *[0])
    assert few_changes.sum() == many_changes.sum()
    narrow = accuracy.paired_drop_interval(reference, few_changes)
    wide = accuracy.paired_drop_interval(reference, many_changes)
    assert narrow[0] < 0.02 < narrow[1]
    assert wide[1] - wide[0] > narrow[1] - narrow[0]


def test_the_drop_s_interval_is_agresti_and_min_s() -> None:
    reference = right(*[1] * 90, *[0] * 10)
    variant = right(*[0] * 8, *[1] * 84, *[0] * 8)  # 8 lost, 2 won, of 100
    standard_error = ((8.5 + 2.5) - (8.5 - 2.5) ** 2 / 102) ** 0.5 / 102
    expected = (6 / 102 - 1.959964 * standard_error, 6 / 102 + 1.959964 * standard_error)
    assert accuracy.paired_drop_interval(reference, variant) == pytest.approx(expected, abs=1e-6)


def test_equal_predictions_still_leave_doubt() -> None:
    same = right(*[1] * 350, *[0] * 10)
    low, high = accuracy.paired_drop_interval(same, same)
    assert low < 0 < high
    low, high = accuracy.paired_retention_interval(same, same)
    assert low < 1 < high < 1.02
