"""Rounded outputs agree with their reference; nonsense does not, however fast it came."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from trimtab.measure.accuracy import CannotScore
from trimtab.measure.agreement import (
    DEFAULT_LIMITS,
    SQNR_CEILING_DB,
    AgreementLimits,
    Reference,
    compare,
    figures,
    judge,
)
from trimtab.measure.derive import with_derived
from trimtab.measure.summarize import build_result
from trimtab.records import Artifact, Check, DeviceRef, MeasurementSettings, RawArm, Result

RANDOM = np.random.default_rng(5)
SCORES = RANDOM.normal(2.0, 3.0, (200, 10)).astype(np.float32)
SETTINGS = MeasurementSettings("onnxruntime")


def rounded_to_int8(scores: Any) -> Any:
    step = np.abs(scores).max() / 127
    return (np.round(scores / step) * step).astype(np.float32)


def outcome(outputs: Any, reference: Any = SCORES) -> Check:
    return judge(compare({"y": reference}, {"y": outputs}), DEFAULT_LIMITS, "float.onnx")


def test_sqnr_is_the_power_of_the_reference_over_that_of_the_difference() -> None:
    found = compare({"y": np.array([[3.0, 4.0]])}, {"y": np.array([[3.0, 4.5]])})
    assert found.sqnr_db["y"] == pytest.approx(20.0)  # 25 over 0.25
    assert found.max_abs_difference == 0.5


def test_equal_outputs_have_the_precision_of_float32() -> None:
    found = figures(compare({"y": SCORES}, {"y": SCORES}))
    assert found["sqnr_db"].value == SQNR_CEILING_DB == pytest.approx(144.49, abs=0.01)
    assert found["max_abs_difference"].value == 0.0
    assert found["agreement"].value == 1.0


def test_int8_outputs_agree() -> None:
    check = outcome(rounded_to_int8(SCORES))
    assert check.outcome == "passed"
    assert "limit 6" in check.seen
    assert "limit 0.8" in check.seen
    assert "float.onnx" in check.seen


@pytest.mark.parametrize(
    "nonsense",
    [
        RANDOM.normal(2.0, 3.0, SCORES.shape),
        np.zeros_like(SCORES),
        np.broadcast_to(SCORES.mean(axis=0), SCORES.shape),
        -SCORES,
        SCORES[::-1],
        SCORES[:, ::-1],
        SCORES * 100,
        np.where(np.arange(10) == 3, np.nan, SCORES),
        np.where(np.arange(10) == 3, np.inf, SCORES),
    ],
    ids=["random", "zero", "mean", "sign", "order", "layout", "scale", "nan", "infinite"],
)
def test_nonsense_is_found_and_voids_everything(nonsense: Any) -> None:
    check = outcome(nonsense)
    assert check.outcome == "failed"
    assert check.invalidates
    assert check.metrics == ()
    assert "another runtime" in check.advice


def test_a_constant_with_a_high_sqnr_is_still_found() -> None:
    temperatures = 20 + RANDOM.normal(0, 0.5, (50, 1))
    constant = np.full_like(temperatures, 20.0)
    found = compare({"t": temperatures}, {"t": constant})
    assert found.sqnr_db["t"] > 30
    assert judge(found, AgreementLimits(6, 0), "m").outcome == "failed"


def test_the_worst_output_counts_and_each_is_shown() -> None:
    reference = {"scores": SCORES, "boxes": SCORES}
    found = compare(reference, {"scores": SCORES + 1e-3, "boxes": -SCORES})
    sqnr = figures(found)["sqnr_db"].value
    assert sqnr is not None
    assert sqnr < 0
    check = judge(found, DEFAULT_LIMITS, "m")
    assert check.outcome == "failed"
    assert "SQNR of boxes" in check.advice
    assert "scores 7" in check.seen
    assert "needs one output" in str(figures(found)["agreement"].reason)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [((25, 0.5), "passed"), ((60, 0.5), "failed"), ((25, 1.0), "failed")],
)
def test_limits_can_be_set(limits: tuple[float, float], expected: str) -> None:
    outputs = SCORES + RANDOM.normal(0, 0.08, SCORES.shape)
    found = compare({"y": SCORES}, {"y": outputs})
    assert judge(found, AgreementLimits(*limits), "m").outcome == expected


def test_names_pair_outputs_and_else_their_order() -> None:
    a, b = SCORES, SCORES * 2
    by_name = compare({"a": a, "b": b}, {"b": b, "a": a})
    by_order = compare({"a": a, "b": b}, {"x": a, "z": b})
    for found in (by_name, by_order):
        assert found.max_abs_difference == 0.0


@pytest.mark.parametrize(
    ("reference", "outputs", "reason"),
    [
        ({"a": SCORES, "b": SCORES}, {"y": SCORES}, "1 outputs, the reference has 2"),
        ({"a": SCORES[:9]}, {"y": SCORES}, r"output y has shape \(200, 10\), the reference's"),
        ({"a": SCORES.reshape(200, 5, 2)}, {"y": SCORES}, "has shape"),
        ({"a": np.full_like(SCORES, np.nan)}, {"y": SCORES}, "reference's output for y holds NaN"),
        ({"a": SCORES.astype("S3")}, {"y": SCORES}, "holds"),
        ({"a": SCORES[:0]}, {"y": SCORES[:0]}, "empty"),
    ],
)
def test_what_cannot_be_compared_says_why(reference: Any, outputs: Any, reason: str) -> None:
    with pytest.raises(CannotScore, match=reason):
        compare(reference, outputs)


def test_classes_have_an_agreement_and_no_sqnr() -> None:
    classes = SCORES.argmax(axis=1)
    found = compare({"y": classes}, {"y": classes})
    assert figures(found)["agreement"].value == 1.0
    assert figures(found)["sqnr_db"].reason == "the outputs are classes"
    assert judge(found, DEFAULT_LIMITS, "m").outcome == "passed"


MakeRaw = Callable[..., RawArm]


@pytest.fixture
def result_of(
    make_artifact: Callable[..., Artifact], make_raw_arm: MakeRaw
) -> Callable[..., Result]:
    def make(name: str, outputs: Any, variant: str | None = None) -> Result:
        raw = make_raw_arm(outputs=None if outputs is None else {"y": outputs})
        artifact = make_artifact(f"{name}.onnx")
        return build_result(raw, artifact, SETTINGS, DeviceRef("local", "id"), variant=variant)

    return make


ResultOf = Callable[..., Result]


def agreement_check(result: Result) -> Check:
    (check,) = [check for check in result.checks if check.name == "OUTPUTS_AGREE"]
    return check


def test_a_variant_that_computes_nonsense_is_invalid(result_of: ResultOf) -> None:
    results = [
        result_of("float", SCORES, "float"),
        result_of("int8", rounded_to_int8(SCORES), "int8"),
        result_of("bad", np.zeros_like(SCORES), "bad"),
    ]
    reference, int8, bad = with_derived(results)
    assert agreement_check(reference).outcome == "not_applicable"
    assert reference.valid
    assert agreement_check(int8).outcome == "passed"
    assert int8.valid
    assert not bad.valid
    for name in ("latency_p50_ms", "speedup", "sqnr_db", "load_ms"):
        assert not bad.metrics[name].valid
        assert "OUTPUTS_AGREE" in str(bad.metrics[name].reason)
    assert bad.metrics["size_mb"].valid


def test_a_runtime_that_computes_even_the_float_model_wrongly_is_invalid(
    result_of: ResultOf,
) -> None:
    first, wrong = (
        result_of("float", SCORES, "float"),
        result_of("float", SCORES[:, ::-1], "float"),
    )
    elsewhere = replace(wrong, settings=replace(wrong.settings, runtime="openvino"))
    reference, other = with_derived([first, elsewhere])
    assert agreement_check(reference).outcome == "not_applicable"
    assert agreement_check(other).outcome == "failed"
    assert not other.valid


def test_the_limits_are_those_of_the_settings(result_of: ResultOf) -> None:
    reference, int8 = (
        result_of("float", SCORES, "float"),
        result_of("int8", rounded_to_int8(SCORES), "int8"),
    )
    settings = replace(SETTINGS, min_sqnr_db=60.0)
    strict = [replace(each, settings=settings) for each in (reference, int8)]
    assert with_derived([reference, int8])[1].valid
    check = agreement_check(with_derived(strict)[1])
    assert check.outcome == "failed"
    assert "limit 60" in check.seen


def test_a_file_without_a_reference_is_not_said_to_be_right(result_of: ResultOf) -> None:
    (result,) = with_derived([result_of("m", SCORES)])
    check = agreement_check(result)
    assert check.outcome == "not_applicable"
    assert "no reference given" in check.seen
    assert "--reference" in check.advice
    assert result.metrics["sqnr_db"].value is None
    assert result.valid


def test_a_runtime_that_is_known_to_be_wrong_at_times_is_doubted(result_of: ResultOf) -> None:
    result = result_of("m", SCORES)
    old = replace(result, runtime_package="tflite_runtime", runtime_version="2.14.0")
    check = agreement_check(with_derived([old])[0])
    assert check.outcome == "unknown"
    assert "tflite_runtime 2.14.0 runs dynamic-range int8 files with wrong answers" in check.seen
    assert "--reference" in check.advice
    assert with_derived([old])[0].valid


def test_outputs_that_did_not_come_back_are_unknown(result_of: ResultOf) -> None:
    results = [result_of("float", SCORES, "float"), result_of("int8", None, "int8")]
    check = agreement_check(with_derived(results)[1])
    assert check.outcome == "unknown"
    assert "no outputs came back" in check.seen


def test_outputs_from_a_file_are_a_reference(result_of: ResultOf) -> None:
    reference = Reference("expected.npz", outputs={"anything": SCORES})
    good, bad = with_derived(
        [result_of("a", SCORES + 1e-4), result_of("b", -SCORES)], reference=reference
    )
    assert agreement_check(good).outcome == "passed"
    assert agreement_check(bad).outcome == "failed"
    assert not bad.valid


def test_a_measured_model_is_a_reference_on_its_own_device_only(result_of: ResultOf) -> None:
    measured, other = result_of("ref", SCORES), result_of("other", SCORES + 1e-4)
    elsewhere = replace(other, device=DeviceRef("pi", "id-2"))
    reference = Reference("ref.onnx", measured.artifact.sha256)
    of_itself, here, there = with_derived([measured, other, elsewhere], reference=reference)
    assert agreement_check(of_itself).outcome == "not_applicable"
    assert agreement_check(here).outcome == "passed"
    assert agreement_check(there).outcome == "unknown"
    assert "ref.onnx" in agreement_check(there).seen


def test_the_same_file_in_a_second_runtime_is_compared_with_the_first(
    result_of: ResultOf,
) -> None:
    first, second = result_of("a", SCORES), result_of("a", -SCORES)
    second = replace(second, settings=replace(second.settings, runtime="another"))
    reference = Reference("a.onnx", first.artifact.sha256)
    of_itself, wrong = with_derived([first, second], reference=reference)
    assert agreement_check(of_itself).outcome == "not_applicable"
    assert agreement_check(wrong).outcome == "failed"
    assert not wrong.valid
