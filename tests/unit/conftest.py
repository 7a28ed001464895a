"""Builders of records for the host's unit tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trimtab.metrics import METRICS
from trimtab.records import (
    Artifact,
    ArtifactFile,
    Check,
    DeviceRef,
    MeasurementSettings,
    Metric,
    RawArm,
    RawRepeat,
    Result,
)
from trimtab_protos.digest import Digest, digest_bytes
from trimtab_protos.errors import Failure

RUNTIMES = {"onnx": "onnxruntime", "tflite": "litert"}


def _artifact(name: str, model_format: str, size_bytes: int) -> Artifact:
    digest = Digest(digest_bytes(name.encode()).sha256, size_bytes)
    file = ArtifactFile(name, Path("/nowhere") / name, digest)
    return Artifact(model_format, (file,), size_bytes // 2)


def _metric(name: str, given: Any) -> Metric:
    """A number, a (value, low, high), or a metric as it is."""
    if isinstance(given, Metric):
        return given
    if isinstance(given, tuple):
        return Metric(given[0], METRICS[name].unit, "measured", (given[1], given[2]))
    return Metric(float(given), METRICS[name].unit, "measured")


@pytest.fixture
def make_artifact() -> Callable[..., Artifact]:
    def make(
        name: str = "model.onnx", model_format: str = "onnx", size_bytes: int = 1000
    ) -> Artifact:
        return _artifact(name, model_format, size_bytes)

    return make


@pytest.fixture
def make_result() -> Callable[..., Result]:
    """A measured result; figures as keywords: a number, (value, low, high), or a Metric."""

    def make(
        variant: str | None = "float",
        *,
        model_format: str = "onnx",
        device: str = "local",
        size_bytes: int = 1000,
        threads: int = 1,
        checks: Sequence[Check] = (),
        error: Failure | None = None,
        raw: RawArm | None = None,
        **figures: Any,
    ) -> Result:
        file_name = f"{variant or 'model'}.{model_format}"
        metrics = {name: _metric(name, given) for name, given in figures.items()}
        return Result(
            device=DeviceRef(device, f"id-of-{device}", "a board: 4 × Cortex-A76, 8 GiB"),
            artifact=_artifact(file_name, model_format, size_bytes),
            settings=MeasurementSettings(RUNTIMES[model_format], threads=threads),
            metrics={} if error else metrics,
            checks=tuple(checks),
            conditions={"governor": "performance"},
            runtime_version="" if error else "1.2.3",
            runtime_package=RUNTIMES[model_format],
            accelerator_used="" if error else "cpu",
            sample_count=0 if error else 300,
            process_count=0 if error else 3,
            variant=variant,
            job_id="job-1",
            error=error,
            raw=raw,
        )

    return make


@pytest.fixture
def make_raw_arm(tmp_path: Path) -> Callable[..., RawArm]:
    """``latencies_us``: one list of samples a repeat. ``outputs``: written as an .npz."""
    written: list[Path] = []

    def make(
        latencies_us: Sequence[Sequence[float]] = ((10, 20, 30), (11, 21, 31), (12, 22, 32)),
        *,
        checks: Sequence[Check] = (),
        outputs: Mapping[str, Any] | None = None,
        unavailable: Mapping[str, str] | None = None,
        memory_bytes: Mapping[str, int] | None = None,
        failure: Failure | None = None,
        evaluation_failure: Failure | None = None,
    ) -> RawArm:
        path = None
        if outputs is not None:
            path = tmp_path / f"outputs-{len(written)}.npz"
            np.savez(path, **outputs)
            written.append(path)
        return RawArm(
            arm="arm",
            runtime="onnxruntime",
            runtime_version="1.2.3",
            runtime_package="onnxruntime",
            accelerator_used="cpu",
            repeats=tuple(_repeat(index, each) for index, each in enumerate(latencies_us)),
            memory_bytes=dict(memory_bytes or {}),
            checks=tuple(checks),
            conditions={"governor": "performance"},
            unavailable=dict(unavailable or {}),
            inputs=(),
            outputs=(),
            evaluation_outputs=path,
            evaluation_failure=evaluation_failure,
            failure=failure,
        )

    return make


def _repeat(index: int, latencies_us: Sequence[float]) -> RawRepeat:
    latency_ns = np.array([round(each * 1000) for each in latencies_us], dtype=np.int64)
    return RawRepeat(
        index=index,
        start_offset_ns=np.cumsum(latency_ns) - latency_ns,
        latency_ns=latency_ns,
        load_ns=(index + 2) * 1_000_000,
        first_inference_ns=500_000,
        io_ns=2_000,
    )
