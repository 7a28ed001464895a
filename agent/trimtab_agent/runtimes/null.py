"""A runtime whose ``run()`` returns at once: it measures the harness itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import trimtab_agent
from trimtab_agent.records import RuntimeInfo, TensorInfo
from trimtab_agent.runtimes.base import Runtime, RuntimeOptions, Session, TensorSpec
from trimtab_agent.runtimes.options import Values, Whole

if TYPE_CHECKING:
    from trimtab_agent.runtimes.base import Tensor, Tensors

_ACCELERATORS = ("cpu",)


class NullSession(Session):
    """One float input and one float output, which is always 0.

    ``rounds``: of adding, which takes a processor the same work each time; 0: it returns at once.
    """

    def __init__(self, rounds: int = 0) -> None:
        if rounds:
            self.run = lambda: work(rounds)  # type: ignore[method-assign]
        self.inputs = (TensorSpec(TensorInfo("input", "float32", (1, 1))),)
        self.outputs = (TensorSpec(TensorInfo("output", "float32", (1, 1))),)
        self.accelerator_used = "cpu"

    def bind(self, inputs: Tensors) -> None:
        pass

    def run(self) -> None:
        pass

    def output_values(self) -> dict[str, Tensor]:
        import numpy as np

        return {"output": np.zeros((1, 1), dtype=np.float32)}

    def close(self) -> None:
        pass


def work(rounds: int) -> None:
    sum(range(rounds))


class NullRuntime(Runtime):
    name = "null"
    formats = ()
    accelerator_options: ClassVar[Mapping[str, Mapping[str, Values]]] = {
        "cpu": {"rounds": Whole(0, 10**9)}
    }

    def availability(self) -> RuntimeInfo:
        return RuntimeInfo(
            self.name, trimtab_agent.__version__, "trimtab_agent", self.formats, _ACCELERATORS
        )

    def load(self, path: Path, options: RuntimeOptions) -> Session:
        self.check(options, _ACCELERATORS)
        return NullSession(int(options.options.get("rounds", "0")))
