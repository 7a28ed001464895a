"""A real worker that refuses a file, and its reason."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from trimtab_agent.worker.messages import WorkerTask

RunTask = Callable[[WorkerTask], Awaitable[Any]]


async def refusal(run_task: RunTask, runtime: str, model: Path, **settings: Any) -> str:
    task = WorkerTask(
        mode="repeat", runtime=runtime, model_path=str(model), min_sample_count=1, **settings
    )
    failure = (await run_task(task)).failure
    assert failure is not None
    assert failure.failure_class == "model", failure
    assert "\n" not in failure.message
    assert str(model.parent) not in failure.message
    return str(failure.message)
