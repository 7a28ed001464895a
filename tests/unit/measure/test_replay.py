"""Recorded samples give the recorded figures again, through the code that measures today."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from trimtab.measure.replay import replayed
from trimtab.measure.summarize import build_result
from trimtab.records import (
    Artifact,
    Check,
    DeviceRef,
    MeasurementSettings,
    Metric,
    RawArm,
    Result,
)
from trimtab.store import read_recording

RECORDINGS = Path(__file__).resolve().parents[2] / "recordings"


@pytest.mark.parametrize("path", sorted(RECORDINGS.glob("*.trimtab")), ids=lambda path: path.stem)
def test_a_recording_of_a_real_run_gives_its_figures_again(path: Path) -> None:
    recorded = read_recording(path).results
    assert recorded
    for again, was in zip(replayed(recorded), recorded, strict=True):
        assert again.raw is not None
        assert len(again.metrics) >= 10
        assert (
            again.sample_count
            == was.sample_count
            == sum(len(each.latency_ns) for each in again.raw.repeats)
        )
        assert {name: again.metrics[name] for name in was.metrics} == was.metrics
        assert again.checks == was.checks


def test_a_figure_that_no_agent_measured_then_says_so() -> None:
    (was,) = read_recording(RECORDINGS / "mnist.trimtab").results
    assert "memory_loaded_mb" not in was.metrics
    (again,) = replayed([was])
    for name in ("memory_loaded_mb", "memory_inference_mb"):
        assert again.metrics[name].value is None
        assert "not measured by that version" in str(again.metrics[name].reason)


def test_other_samples_give_other_figures() -> None:
    (was,) = read_recording(RECORDINGS / "mnist.trimtab").results
    assert was.raw is not None
    repeats = tuple(replace(each, latency_ns=each.latency_ns * 2) for each in was.raw.repeats)
    (again,) = replayed([replace(was, raw=replace(was.raw, repeats=repeats))])
    p50, p50_was = (each.metrics["latency_p50_ms"].value for each in (again, was))
    assert p50 is not None
    assert p50_was is not None
    assert p50 == pytest.approx(2 * p50_was)


@pytest.fixture
def throttled(
    make_raw_arm: Callable[..., RawArm], make_artifact: Callable[..., Artifact]
) -> Result:
    """Twice as slow from the 500th sample on, as a board is that has become hot."""
    slowed = np.concatenate([np.full(500, 100.0), np.full(500, 200.0)]).tolist()
    seen = "1800 to 900 MHz 50 ms into repeat 1"
    check = Check("NOT_THROTTLED", "failed", True, ("latency",), seen, "cool it")
    raw = make_raw_arm((slowed,) * 3, checks=[check])
    settings = MeasurementSettings("onnxruntime")
    built = build_result(raw, make_artifact(), settings, DeviceRef("pi", "id"))
    accuracy = Metric(0.9, "fraction", "measured")
    return replace(built, metrics={**built.metrics, "accuracy": accuracy})


def test_a_throttled_recording_stays_invalid_with_the_moment_it_began(throttled: Result) -> None:
    (again,) = replayed([throttled])
    latency = again.metrics["latency_p90_ms"]
    assert latency.value == pytest.approx(0.2)
    assert not latency.valid
    assert "50 ms into repeat 1" in str(latency.reason)
    assert again.metrics["accuracy"] == throttled.metrics["accuracy"]


def test_a_result_without_samples_stays_as_it_is(throttled: Result) -> None:
    bare = replace(throttled, raw=None)
    assert replayed([bare]) == (bare,)
