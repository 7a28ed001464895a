"""A worker with the misbehaving runtime, run as the agent runs it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from misbehaving_plug_in import register, task_of
from trimtab_agent.worker.messages import WorkerTask

MakeTask = Callable[..., WorkerTask]


@pytest.fixture
def misbehaving_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeTask:
    """By the kind of misdeed; further settings are the task's."""
    register(tmp_path / "plug-in", monkeypatch)

    def make(kind: str, **settings: Any) -> WorkerTask:
        model = tmp_path / f"{kind}.null"
        model.write_text(f"{kind}\n{tmp_path / 'outside'}")
        return task_of(model, **settings)

    return make
