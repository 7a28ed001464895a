"""Workers as the agent runs them, and small models with known answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from trimtab_agent.worker.messages import WorkerTask
from trimtab_agent.worker.process import run_worker
from trimtab_protos.failure import Failure

WEIGHTS = np.array([[1, -2, 3], [4, 5, -6]], dtype=np.float32)


@dataclass
class Heard:
    """Everything one worker said."""

    failure: Failure | None = None
    messages: list[dict[str, Any]] = field(default_factory=list)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["kind"] == kind]

    def only(self, kind: str) -> dict[str, Any]:
        (message,) = self.of(kind)
        return message


Plant = Callable[[dict[str, str]], Path]


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    """Lay out a device's files, name to content; returns the root to hand in."""

    def write(files: dict[str, str]) -> Path:
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return tmp_path

    return write


RunTask = Callable[[WorkerTask], Awaitable[Heard]]


@pytest.fixture
def run_task(tmp_path: Path) -> RunTask:
    async def run(task: WorkerTask) -> Heard:
        scratch = tmp_path / "scratch"
        scratch.mkdir(exist_ok=True)
        heard = Heard()
        heard.failure = await run_worker(task, scratch, 60_000_000_000, heard.messages.append)
        assert list(scratch.iterdir()) == [], "the task file was left behind"
        return heard

    return run


@pytest.fixture
def save_graph(tmp_path: Path) -> Callable[..., Path]:
    """Save nodes over float input ``x`` (and weights ``w``) with output ``y``."""

    def save(
        node: onnx.NodeProto | list[onnx.NodeProto],
        input_shape: list[Any],
        output_shape: list[Any],
        weights: np.ndarray[Any, Any] | None = None,
        domain: str = "",
    ) -> Path:
        graph = helper.make_graph(
            node if isinstance(node, list) else [node],
            "graph",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, input_shape)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, output_shape)],
            [] if weights is None else [numpy_helper.from_array(weights, "w")],
        )
        opsets = [helper.make_opsetid("", 17)]
        if domain:
            opsets.append(helper.make_opsetid(domain, 1))
        path = tmp_path / "model" / "model.onnx"
        path.parent.mkdir(exist_ok=True)
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
        return path

    return save


@pytest.fixture
def save_linear(save_graph: Callable[..., Path]) -> Callable[[int | str], Path]:
    """y = x @ WEIGHTS with the batch given: a number, or a name for an open one."""

    def save(batch: int | str) -> Path:
        node = helper.make_node("MatMul", ["x", "w"], ["y"])
        return save_graph(node, [batch, 2], [batch, 3], WEIGHTS)

    return save


@pytest.fixture
def weights() -> np.ndarray[Any, Any]:
    return WEIGHTS
