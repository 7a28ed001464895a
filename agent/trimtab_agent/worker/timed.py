"""The call that is timed, and what its errors mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trimtab_agent.measure import Run
from trimtab_agent.runtimes.base import Session, WorkerError
from trimtab_agent.runtimes.reasons import refusal
from trimtab_agent.worker.messages import WorkerTask


@contextmanager
def timed_call(session: Session, task: WorkerTask) -> Iterator[Run]:
    """The session's bare call; a runtime's own error is raised as ``run`` would have raised it."""
    try:
        yield session.timed_call()
    except WorkerError:
        raise
    except Exception as error:  # each runtime has classes of its own
        raise refusal(error, Path(task.model_path).parent) from error
