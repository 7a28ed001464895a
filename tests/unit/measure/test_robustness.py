"""Segments are taken apart, clean figures stay what they were, and a collapse is flagged."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from trimtab.measure.derive import with_derived
from trimtab.measure.replay import replayed
from trimtab.measure.robustness import CHECK_NAME, with_robustness
from trimtab.measure.segments import segmented
from trimtab.measure.summarize import Scoring, build_result
from trimtab.records import (
    Artifact,
    Check,
    CorruptedCopies,
    DeviceRef,
    EvaluationSet,
    MeasurementSettings,
    RawArm,
    Result,
    Robustness,
)
from trimtab_protos.digest import digest_bytes

CLASSES, SAMPLES = 10, 40
TARGETS = np.repeat(np.arange(CLASSES), SAMPLES)
COPIED = np.arange(0, len(TARGETS), 4)
Scores = npt.NDArray[np.float32]


def scores(answers: npt.NDArray[np.int64]) -> Scores:
    return np.eye(CLASSES, dtype=np.float32)[answers]


def answers(wrong: Sequence[int] = ()) -> npt.NDArray[np.int64]:
    """Right, but for the samples of those numbers."""
    found = TARGETS.copy()
    found[list(wrong)] = (found[list(wrong)] + 1) % CLASSES
    return found


FLOAT = answers(range(0, 400, 20))  # two wrong of each class
INT8 = answers([*range(0, 400, 20), 7])
COLLAPSED = answers([*range(0, 400, 20), *range(3 * SAMPLES, 3 * SAMPLES + 24)])


def evaluation(corrupted: Sequence[str] = ("noise", "crop"), **changes: Any) -> EvaluationSet:
    copies = CorruptedCopies(tuple(corrupted), COPIED, 3) if corrupted else None
    made = EvaluationSet(Path("x.npz"), digest_bytes(b""), TARGETS, len(TARGETS), (), copies)
    return replace(made, **changes)


def with_copies(clean: npt.NDArray[np.int64], *wrong_under: Sequence[int]) -> dict[str, Scores]:
    """What the device returns: the clean samples, then the copies of each corruption."""
    parts = [clean]
    for wrong in wrong_under:
        copies = clean[COPIED].copy()
        copies[list(wrong)] = (TARGETS[COPIED][list(wrong)] + 1) % CLASSES
        parts.append(copies)
    return {"logits": scores(np.concatenate(parts))}


@pytest.fixture
def measured(
    make_raw_arm: Callable[..., RawArm], make_artifact: Callable[..., Artifact]
) -> Callable[..., tuple[Result, ...]]:
    """As a campaign does it: from what came back to results, for each variant's outputs."""

    def measure(
        outputs: dict[str, Any], over: EvaluationSet | None = None, metric: Any = None
    ) -> tuple[Result, ...]:
        given = over or evaluation()
        scoring = Scoring(given, metric)
        parts = [segmented(make_raw_arm(outputs=each), given) for each in outputs.values()]
        results = [
            build_result(
                part.raw,
                make_artifact(f"{name}.onnx"),
                MeasurementSettings("onnxruntime"),
                DeviceRef("local", "id"),
                scoring,
                variant=name,
            )
            for name, part in zip(outputs, parts, strict=True)
        ]
        derived = with_derived(results, scoring)
        return with_robustness(derived, scoring, [part.corrupted for part in parts])

    return measure


Measured = Callable[..., tuple[Result, ...]]


def found(result: Result) -> Robustness:
    assert result.robustness is not None
    return result.robustness


def check_of(result: Result) -> Check:
    (check,) = [check for check in result.checks if check.name == CHECK_NAME]
    return check


def test_corrupted_copies_change_no_figure_of_the_clean_samples(measured: Measured) -> None:
    wrong = range(0, 100, 2)
    beside = measured(
        {"float": with_copies(FLOAT, wrong, wrong), "int8": with_copies(INT8, wrong, wrong)}
    )
    alone = measured(
        {"float": {"logits": scores(FLOAT)}, "int8": {"logits": scores(INT8)}}, evaluation(())
    )
    for one, other in zip(beside, alone, strict=True):
        for name in set(one.metrics) - {"robust_accuracy"}:
            assert one.metrics[name] == other.metrics[name], name
        assert found(one).per_class == found(other).per_class
    assert beside[1].metrics["accuracy"].value == pytest.approx(379 / 400)
    assert beside[1].metrics["agreement"].value == pytest.approx(399 / 400)
    assert beside[1].metrics["robust_accuracy"].value is not None
    assert "no corruptions were asked for" in str(alone[1].metrics["robust_accuracy"].reason)


def test_accuracy_under_corruption_is_paired_with_the_float_models(measured: Measured) -> None:
    reference, small = measured(
        {
            "float": with_copies(TARGETS, range(10), ()),
            "int8": with_copies(TARGETS, range(30), range(5)),
        }
    )
    noise, crop = found(small).corruptions
    assert (noise.name, noise.count, noise.clean_accuracy) == ("noise", 100, 1.0)
    assert (noise.accuracy, noise.float_accuracy) == (0.7, 0.9)
    assert noise.drop == pytest.approx(0.2)
    assert noise.ci95 is not None
    assert 0.1 < noise.ci95[0] < 0.2 < noise.ci95[1] < 0.3
    assert crop.accuracy == 0.95
    robust = small.metrics["robust_accuracy"]
    assert robust.value == pytest.approx((0.7 + 0.95) / 2)
    assert robust.ci95 is not None
    assert robust.ci95[0] < 0.825 < robust.ci95[1]
    of_float = found(reference).corruptions[0]
    assert (of_float.accuracy, of_float.drop) == (0.9, None)


def test_the_interval_of_the_mean_takes_copies_of_a_sample_for_no_independent_ones(
    measured: Measured,
) -> None:
    same, apart = measured(
        {
            "float": with_copies(TARGETS, range(20), range(20)),
            "int8": with_copies(TARGETS, range(20), range(20, 40)),
        }
    )
    widths = []
    for result in (same, apart):
        ci95 = result.metrics["robust_accuracy"].ci95
        assert ci95 is not None
        widths.append(ci95[1] - ci95[0])
    assert widths[0] > 1.3 * widths[1]


def test_a_small_mean_drop_with_one_collapsed_class_is_flagged(measured: Measured) -> None:
    outputs = {"float": FLOAT, "int8": INT8, "bad": COLLAPSED}
    given = {name: {"logits": scores(each)} for name, each in outputs.items()}
    reference, fine, bad = measured(given, evaluation(()))
    assert bad.metrics["accuracy_drop"].value == pytest.approx(22 / 400)
    assert [each.label for each in found(bad).collapsed] == ["3"]
    drop = bad.metrics["worst_class_drop"]
    assert drop.value == pytest.approx(22 / 40)
    assert drop.ci95 is not None
    assert 0.25 < drop.ci95[0] < 0.55 < drop.ci95[1] < 0.8
    check = check_of(bad)
    assert (check.outcome, check.invalidates) == ("failed", False)
    assert check.seen == ("class 3 fell from 0.9500 to 0.4000 on 40 samples; all samples by 0.0550")
    assert bad.valid
    assert check_of(fine).outcome == "passed"
    assert check_of(reference).outcome == "not_applicable"
    assert reference.metrics["worst_class_drop"].value == 0.0


def test_classes_go_by_the_tasks_names(measured: Measured) -> None:
    names = tuple("abcdefghij")
    given = {"float": {"logits": scores(FLOAT)}, "bad": {"logits": scores(COLLAPSED)}}
    _, bad = measured(given, evaluation((), class_names=names))
    assert check_of(bad).seen.startswith("class d fell")


@pytest.mark.parametrize(
    ("changes", "metric", "reason"),
    [
        ({}, lambda outputs, targets: 0.5, "a metric of its own"),
        ({"targets": TARGETS.astype(np.float32)}, None, "type float32"),
    ],
)
def test_what_is_no_top_1_classification_says_so(
    measured: Measured, changes: dict[str, Any], metric: Any, reason: str
) -> None:
    given = {"float": {"logits": scores(FLOAT)}, "int8": {"logits": scores(INT8)}}
    _, small = measured(given, evaluation((), **changes), metric)
    assert reason in str(small.metrics["worst_class_drop"].reason)
    assert reason in str(found(small).reason)
    assert check_of(small).outcome == "not_applicable"


def test_a_metric_of_the_tasks_own_is_taken_under_corruption_too(measured: Measured) -> None:
    def metric(outputs: Any, targets: Any) -> float:
        return float((outputs.argmax(1) == targets).mean()) / 2

    given = {"float": with_copies(TARGETS, (), ()), "int8": with_copies(TARGETS, range(20), ())}
    _, small = measured(given, evaluation(), metric)
    noise, _ = found(small).corruptions
    assert (noise.accuracy, noise.ci95) == (0.4, None)
    assert noise.drop == pytest.approx(0.1)
    assert small.metrics["robust_accuracy"].value == pytest.approx(0.45)


def test_too_few_samples_of_each_class_are_unknown_not_fine(measured: Measured) -> None:
    few = np.arange(0, len(TARGETS), 8)  # five of each class
    given = {name: {"logits": scores(each[few])} for name, each in
             (("float", FLOAT), ("int8", COLLAPSED))}  # fmt: skip
    over = evaluation((), targets=TARGETS[few], sample_count=len(few))
    _, small = measured(given, over)
    assert check_of(small).outcome == "unknown"
    assert "of 10 classes none has the 8" in check_of(small).seen
    assert small.metrics["worst_class_drop"].value is None


def test_without_a_float_model_there_are_accuracies_but_no_changes(measured: Measured) -> None:
    (alone,) = measured({"int8": {"logits": scores(INT8)}}, evaluation(()))
    assert found(alone).per_class[0].accuracy == pytest.approx(37 / 40)
    assert found(alone).per_class[0].change is None
    assert "no float model" in str(found(alone).reason)
    assert "no float model" in str(alone.metrics["worst_class_drop"].reason)


def test_a_wrong_number_of_outputs_is_no_accuracy(measured: Measured) -> None:
    (result,) = measured({"float": {"logits": scores(FLOAT)}})
    assert "400 samples of logits, 600 were sent" in str(result.metrics["accuracy"].reason)
    assert result.metrics["robust_accuracy"].value is None


def test_outputs_of_any_name_are_taken_apart(make_raw_arm: Callable[..., RawArm]) -> None:
    raw = make_raw_arm(outputs={"arr/0:x": np.arange(600), "file_": np.arange(600.0)})
    parts = segmented(raw, evaluation())
    assert parts.raw.evaluation_outputs is not None
    clean = np.load(parts.raw.evaluation_outputs)
    assert np.array_equal(clean["arr/0:x"], np.arange(400))
    assert np.array_equal(np.load(parts.corrupted["noise"])["file_"], np.arange(400.0, 500))
    assert np.array_equal(np.load(parts.corrupted["crop"])["file_"], np.arange(500.0, 600))


def test_a_replay_keeps_what_came_of_outputs_that_are_not_kept(measured: Measured) -> None:
    given = {"float": with_copies(FLOAT, (), ()), "bad": with_copies(COLLAPSED, (), ())}
    results = measured(given)
    kept = [
        replace(each, raw=replace(each.raw, evaluation_outputs=None))
        for each in results
        if each.raw is not None
    ]
    for new, old in zip(replayed(kept), results, strict=True):
        assert new.robustness == old.robustness
        assert new.metrics["worst_class_drop"] == old.metrics["worst_class_drop"]
        assert new.metrics["robust_accuracy"] == old.metrics["robust_accuracy"]
        assert check_of(new) == check_of(old)


def test_where_no_class_fell_none_is_named_the_worst(measured: Measured) -> None:
    given = {"float": {"logits": scores(FLOAT)}, "same": {"logits": scores(FLOAT)}}
    _, same = measured(given, evaluation(()))
    assert found(same).worst_fallen is None
    assert check_of(same).seen == "no class fell"
    assert same.metrics["worst_class_drop"].value == 0.0
