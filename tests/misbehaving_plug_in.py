"""Registers the misbehaving runtime, as any third party's is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from trimtab_agent.worker.messages import WorkerTask

_MODULE = Path(__file__).resolve().parent / "misbehaving"


def register(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For every agent and worker that is started from now on; ``folder`` must be there."""
    info = folder / "misbehaving-0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: misbehaving\nVersion: 0\n")
    registered = "[trimtab.runtimes]\nmisbehaving = misbehaving_runtime:MisbehavingRuntime\n"
    (info / "entry_points.txt").write_text(registered)
    paths = [str(folder), str(_MODULE), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in paths if path))


def task_of(model: Path, **settings: Any) -> WorkerTask:
    """Measures the file, which says how to misbehave, for a moment."""
    return WorkerTask(
        "repeat",
        "misbehaving",
        str(model),
        min_sample_count=10,
        min_warmup_count=1,
        max_duration_ns=1_000_000_000,
        **settings,
    )
