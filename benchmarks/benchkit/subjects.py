"""The models to measure, each in the runtime that can load it, and inputs for both sides."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from trimtab_agent.records import TensorInfo
from trimtab_agent.runtimes.base import TensorSpec
from trimtab_agent.worker.inputs import random_inputs
from trimtab_agent.worker.messages import WorkerTask
from trimtab_agent.worker.process import run_worker

_RUNTIMES = {".onnx": "onnxruntime", ".tflite": "litert"}
_TIMEOUT_NS = 60_000_000_000
_SEED = 0


@dataclass(frozen=True)
class Subject:
    """``inputs`` is an .npz with the inputs of one run, in the model's own order."""

    runtime: str
    model: Path
    inputs: Path

    @property
    def name(self) -> str:
        return self.model.name


@dataclass(frozen=True)
class Refused:
    model: Path
    reason: str


def models_folder() -> Path:
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    models = Path(os.environ.get("TRIMTAB_TEST_DATA", beside)) / "models"
    if not models.is_dir():
        raise SystemExit(f"no test data: {models} does not exist (set TRIMTAB_TEST_DATA)")
    return models


def find_subjects(scratch: Path) -> tuple[list[Subject], list[Refused]]:
    """Every model file of the folder; TRIMTAB_BENCH_MODELS (names with commas) narrows it."""
    wanted = [name for name in os.environ.get("TRIMTAB_BENCH_MODELS", "").split(",") if name]
    files = [path for path in sorted(models_folder().iterdir()) if path.suffix in _RUNTIMES]
    found = [prepare(path, scratch) for path in files if not wanted or path.name in wanted]
    subjects = [each for each in found if isinstance(each, Subject)]
    return subjects, [each for each in found if isinstance(each, Refused)]


def prepare(model: Path, scratch: Path) -> Subject | Refused:
    """Load it once in a worker; where that works, write inputs for it."""
    runtime = _RUNTIMES[model.suffix]
    loaded: list[dict[str, Any]] = []

    def hear(message: dict[str, Any]) -> None:
        if message["kind"] == "loaded":
            loaded.append(message)

    task = WorkerTask("repeat", runtime, str(model), min_sample_count=1, max_duration_ns=1)
    failure = asyncio.run(run_worker(task, scratch, _TIMEOUT_NS, hear))
    if failure is not None:
        return Refused(model, failure.message)
    inputs = scratch / f"{model.name}.npz"
    _write_inputs(loaded[0]["inputs"], inputs)
    return Subject(runtime, model, inputs)


def _write_inputs(infos: list[dict[str, Any]], path: Path) -> None:
    specs = [
        TensorSpec(TensorInfo(info["name"], info["dtype"], tuple(info["dimensions"])))
        for info in infos
    ]
    arrays = random_inputs(specs, {}, _SEED)
    with path.open("wb") as file:
        np.savez(file, *(arrays[spec.name] for spec in specs))
