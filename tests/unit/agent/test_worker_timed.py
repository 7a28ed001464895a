"""What a runtime raises in the timed loop is told as any other refusal of its."""

from collections.abc import Callable
from pathlib import Path

import pytest
from trimtab_agent.runtimes.base import ModelRefused, OutOfMemory, WorkerError
from trimtab_agent.runtimes.null import NullSession
from trimtab_agent.worker.messages import WorkerTask
from trimtab_agent.worker.timed import timed_call


class FailingSession(NullSession):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def timed_call(self) -> Callable[[], object]:
        def fail() -> None:
            raise self._error

        return fail


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (RuntimeError("node 3 failed"), ModelRefused, "node 3 failed"),
        (MemoryError(), OutOfMemory, "out of memory"),
        (ModelRefused("as it was"), ModelRefused, "as it was"),
    ],
)
def test_a_runtimes_own_error_gets_its_class(
    tmp_path: Path, error: Exception, kind: type[WorkerError], text: str
) -> None:
    task = WorkerTask("repeat", model_path=str(tmp_path / "model"))
    with pytest.raises(kind, match=text), timed_call(FailingSession(error), task) as call:
        call()
