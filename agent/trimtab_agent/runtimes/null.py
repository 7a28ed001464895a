"""A runtime whose ``run()`` returns at once: it measures the harness itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import trimtab_agent
from trimtab_agent.records import RuntimeInfo, TensorInfo
from trimtab_agent.runtimes.base import Runtime, RuntimeOptions, Session, TensorSpec

if TYPE_CHECKING:
    from trimtab_agent.runtimes.base import Tensor, Tensors

_ACCELERATORS = ("cpu",)


class NullSession(Session):
    """One float input and one float output, which is always 0."""

    def __init__(self) -> None:
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


class NullRuntime(Runtime):
    name = "null"
    formats = ()

    def availability(self) -> RuntimeInfo:
        return RuntimeInfo(
            self.name, trimtab_agent.__version__, "trimtab_agent", self.formats, _ACCELERATORS
        )

    def load(self, path: Path, options: RuntimeOptions) -> Session:
        self.check(options, _ACCELERATORS)
        return NullSession()
