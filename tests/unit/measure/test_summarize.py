from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trimtab.measure.derive import with_derived
from trimtab.measure.summarize import Scoring, build_result, summarize
from trimtab.metrics import METRICS
from trimtab.records import (
    Artifact,
    Check,
    DeviceRef,
    EvaluationSet,
    MeasurementSettings,
    Metric,
    RawArm,
    Result,
)
from trimtab_protos.digest import digest_bytes
from trimtab_protos.errors import Failure

SETTINGS = MeasurementSettings("onnxruntime")
RIGHT, HALF = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([[0.0, 1.0], [0.0, 1.0]])
MakeRaw = Callable[..., RawArm]
MakeArtifact = Callable[..., Artifact]


def scoring(targets: Any = (1, 0), metric: Any = None) -> Scoring:
    array = np.array(targets, dtype=np.int64)
    return Scoring(EvaluationSet(Path("x.npz"), digest_bytes(b""), array, len(array)), metric)


def measured(metric: Metric) -> float:
    assert metric.value is not None, metric.reason
    return metric.value


@pytest.fixture
def figures(make_artifact: MakeArtifact) -> Callable[..., dict[str, Metric]]:
    def summarized(raw: RawArm, scored: Scoring | None = None) -> dict[str, Metric]:
        return summarize(raw, make_artifact(size_bytes=3_000_000), SETTINGS, scored)

    return summarized


Figures = Callable[..., dict[str, Metric]]


def test_every_metric_that_needs_no_float_model_is_there(
    make_raw_arm: MakeRaw, figures: Figures
) -> None:
    against_float = {"accuracy_drop", "accuracy_retention", "compression_ratio", "speedup"}
    against_float |= {"agreement", "sqnr_db", "max_abs_difference"}
    expected = set(METRICS) - against_float - {"worst_class_drop", "robust_accuracy"}
    found = figures(make_raw_arm())
    assert set(found) == expected
    for metric in found.values():
        assert (metric.value is None) == (metric.provenance == "unavailable")
        assert metric.reason if metric.value is None else True


def test_units_are_milliseconds_and_millions_of_bytes(
    make_raw_arm: MakeRaw, figures: Figures
) -> None:
    found = figures(make_raw_arm(((10, 30, 20),) * 3, memory_bytes={"peak": 52_000_000}))
    assert measured(found["latency_p50_ms"]) == pytest.approx(0.020)
    assert measured(found["throughput_per_s"]) == pytest.approx(50_000)
    assert found["throughput_per_s"].provenance == "derived"
    assert measured(found["load_ms"]) == pytest.approx(24 ** (1 / 3))  # of 2, 3 and 4
    assert measured(found["io_ms"]) == pytest.approx(0.002)
    assert measured(found["memory_peak_mb"]) == pytest.approx(52.0)
    assert measured(found["size_mb"]) == pytest.approx(3.0)
    assert measured(found["download_mb"]) == pytest.approx(1.5)


def test_the_peak_is_told_in_its_parts(make_raw_arm: MakeRaw, figures: Figures) -> None:
    read = {"peak": 250_000_000, "loaded": 190_000_000, "peak_file_backed": 130_000_000}
    found = figures(make_raw_arm(memory_bytes=read))
    assert measured(found["memory_inference_mb"]) == pytest.approx(60)
    assert measured(found["memory_peak_anon_mb"]) == pytest.approx(120)
    assert measured(found["memory_peak_file_mb"]) == pytest.approx(130)
    assert found["memory_inference_mb"].provenance == "derived"


def test_a_part_of_the_peak_is_missing_for_the_reason_of_what_it_is_made_of(
    make_raw_arm: MakeRaw, figures: Figures
) -> None:
    raw = make_raw_arm(
        memory_bytes={"loaded": 1, "peak_file_backed": 1},
        unavailable={"memory_peak_mb": "the kernel does not reset it"},
    )
    found = figures(raw)
    for name in ("memory_inference_mb", "memory_peak_anon_mb"):
        assert found[name].value is None
        assert found[name].reason == "the kernel does not reset it"


def test_throughput_counts_the_samples_of_a_batch_and_not_at_a_rate(
    make_raw_arm: MakeRaw, make_artifact: MakeArtifact
) -> None:
    raw = make_raw_arm(((10, 30, 20), (10, 30, 20), (11, 31, 21)))

    def throughput(**scenario: Any) -> Metric:
        settings = replace(SETTINGS, **scenario)
        return summarize(raw, make_artifact(), settings)["throughput_per_s"]

    single, batch = throughput(), throughput(batch_size=8)
    assert measured(batch) == pytest.approx(8 * measured(single))
    assert single.ci95 is not None
    assert batch.ci95 == pytest.approx(tuple(8 * bound for bound in single.ci95))
    at_a_rate = throughput(rate_hz=30.0)
    assert at_a_rate.value is None
    assert at_a_rate.reason == "measured at 30 Hz, not back to back"


def test_what_the_device_could_not_tell_carries_its_reason(
    make_raw_arm: MakeRaw, figures: Figures
) -> None:
    reasons = {"energy_mj": "no power sensor found", "memory_peak_mb": "no /proc"}
    found = figures(make_raw_arm(unavailable=reasons))
    assert found["energy_mj"].reason == "no power sensor found"
    assert found["memory_peak_mb"] == Metric(None, "MB", "unavailable", reason="no /proc")
    assert found["latency_p99_ms"].reason == "needs 662 samples, had 9"


def test_an_absent_figure_is_never_zero(make_raw_arm: MakeRaw, figures: Figures) -> None:
    raw = make_raw_arm()
    raw = replace(raw, repeats=tuple(replace(each, io_ns=None) for each in raw.repeats))
    assert figures(raw)["io_ms"].value is None
    assert figures(replace(raw, repeats=()))["latency_p50_ms"].value is None


def test_a_failed_check_voids_the_figures_it_speaks_of_and_no_other(
    make_raw_arm: MakeRaw, figures: Figures
) -> None:
    check = Check("steady", "failed", True, ("latency_p50_ms", "latency_mean_ms"), "drifted 9 %")
    found = figures(make_raw_arm(checks=[check]))
    assert not found["latency_p50_ms"].valid
    assert found["latency_p50_ms"].reason == "steady: drifted 9 %"
    assert not found["throughput_per_s"].valid  # computed from the mean
    assert found["load_ms"].valid


def test_a_check_without_metrics_speaks_of_all_that_was_measured_on_the_device(
    make_raw_arm: MakeRaw, figures: Figures
) -> None:
    found = figures(make_raw_arm(checks=[Check("clock", "failed", True, (), "ran backwards")]))
    assert not found["load_ms"].valid
    assert found["size_mb"].valid


@pytest.mark.parametrize(
    ("outcome", "invalidates"), [("failed", False), ("unknown", True), ("passed", True)]
)
def test_only_a_failed_check_that_invalidates_voids(
    make_raw_arm: MakeRaw, figures: Figures, outcome: Any, invalidates: bool
) -> None:
    found = figures(make_raw_arm(checks=[Check("c", outcome, invalidates, (), "seen")]))
    assert all(metric.valid for metric in found.values())


def test_one_process_gives_no_interval_and_says_so(
    make_raw_arm: MakeRaw, make_artifact: MakeArtifact
) -> None:
    once = replace(SETTINGS, repeats=1)
    raw = make_raw_arm(((1, 2, 3),))
    result = build_result(raw, make_artifact(), once, DeviceRef("local", "id"))
    assert result.metrics["latency_p50_ms"].ci95 is None
    assert [check.name for check in result.checks] == ["INTERVAL_KNOWN"]


def test_accuracy_is_that_of_the_outputs_from_the_device(
    make_raw_arm: MakeRaw, figures: Figures
) -> None:
    found = figures(make_raw_arm(outputs={"y": HALF}), scoring())["accuracy"]
    assert found.value == 0.5
    assert found.ci95 is not None
    assert found.ci95[0] < 0.5 < found.ci95[1]


def test_the_task_s_own_metric_replaces_top_1(make_raw_arm: MakeRaw, figures: Figures) -> None:
    found = figures(make_raw_arm(outputs={"y": HALF}), scoring(metric=lambda _o, _t: 0.25))
    assert found["accuracy"] == Metric(0.25, "fraction", "measured")


def test_accuracy_says_why_it_is_missing(make_raw_arm: MakeRaw, figures: Figures) -> None:
    failed = make_raw_arm(evaluation_failure=Failure("model", "wrong shape"))
    assert figures(failed, scoring())["accuracy"].reason == "wrong shape"
    assert "no outputs" in str(figures(make_raw_arm(), scoring())["accuracy"].reason)
    assert "no evaluation set" in str(figures(make_raw_arm())["accuracy"].reason)


def test_a_failed_arm_has_no_figures(make_raw_arm: MakeRaw, figures: Figures) -> None:
    assert figures(make_raw_arm(failure=Failure("model", "no such operator"))) == {}


@pytest.fixture
def result_of(make_artifact: MakeArtifact) -> Callable[..., Result]:
    def make(variant: str | None, raw: RawArm, size_bytes: int = 1000, **changes: Any) -> Result:
        artifact = make_artifact(f"{variant}.onnx", size_bytes=size_bytes)
        device = DeviceRef("local", "id")
        built = build_result(raw, artifact, SETTINGS, device, scoring(), variant=variant)
        return replace(built, **changes)

    return make


ResultOf = Callable[..., Result]


def test_figures_against_the_float_model(make_raw_arm: MakeRaw, result_of: ResultOf) -> None:
    slow = ((40, 40, 40), (42, 42, 42), (41, 41, 41))
    float_result = result_of("float", make_raw_arm(slow, outputs={"y": RIGHT}), 4000)
    fast = ((20, 20, 20), (21, 21, 21), (20.5, 20.5, 20.5))
    small = result_of("int8", make_raw_arm(fast, outputs={"y": HALF}), 1000)
    reference, derived = with_derived([float_result, small], scoring())
    figures = derived.metrics
    assert measured(figures["compression_ratio"]) == 4.0
    assert measured(figures["speedup"]) == pytest.approx(2.0)
    assert figures["speedup"].ci95 is not None
    assert figures["speedup"].ci95[0] < 2.0 < figures["speedup"].ci95[1]
    assert measured(figures["accuracy_drop"]) == 0.5
    assert measured(figures["accuracy_retention"]) == 0.5
    assert measured(figures["agreement"]) == 0.5
    assert {figures[name].provenance for name in ("speedup", "accuracy_drop")} == {"derived"}
    assert measured(reference.metrics["speedup"]) == 1.0
    assert measured(reference.metrics["accuracy_drop"]) == 0.0


@pytest.mark.parametrize(
    "changes",
    [
        {"device": DeviceRef("pi", "id-2")},
        {"settings": replace(SETTINGS, threads=2)},
        {"error": Failure("model", "crashed"), "metrics": {}},
    ],
)
def test_no_float_result_from_another_device_or_setting_is_used(
    make_raw_arm: MakeRaw, result_of: ResultOf, changes: dict[str, Any]
) -> None:
    other = result_of("float", make_raw_arm(outputs={"y": RIGHT}), **changes)
    derived = with_derived([other, result_of("int8", make_raw_arm())], scoring())[1]
    for name in ("speedup", "accuracy_drop", "compression_ratio", "agreement"):
        assert derived.metrics[name].value is None
        assert "float model" in str(derived.metrics[name].reason)


def test_a_void_float_figure_voids_what_is_compared_with_it(
    make_raw_arm: MakeRaw, result_of: ResultOf
) -> None:
    check = Check("throttled", "failed", True, ("latency_p50_ms",), "at 90 °C")
    results = [result_of("float", make_raw_arm(checks=[check])), result_of("a", make_raw_arm())]
    derived = with_derived(results, scoring())[1].metrics
    assert not derived["speedup"].valid
    assert derived["speedup"].reason == "the float model's throttled: at 90 °C"
    assert derived["compression_ratio"].valid
    assert derived["latency_p50_ms"].valid


def test_a_file_by_itself_has_nothing_to_compare_with(
    make_raw_arm: MakeRaw, result_of: ResultOf
) -> None:
    (derived,) = with_derived([result_of(None, make_raw_arm())])
    assert derived.metrics["speedup"].provenance == "unavailable"
