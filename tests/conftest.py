"""Fixtures for the whole suite: the test data, and real agents in processes of their own."""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real models and data, beside the repository or in TRIMTAB_TEST_DATA; see CONTRIBUTING.md."""
    folder = Path(os.environ.get("TRIMTAB_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (folder / "models").is_dir():
        pytest.skip(f"no test data: {folder} does not exist (set TRIMTAB_TEST_DATA)")
    return folder


Tensors = dict[str, tuple[tuple[int, ...], Any]]
Operators = list[tuple[str, list[str], list[str]]]


@pytest.fixture(scope="session")
def write_tflite() -> Callable[..., None]:
    """Writes a .tflite from its tensors (name: shape, and float values or a dtype) and operators.

    An operator is its name in TFLite's schema, its inputs and its outputs. A dimension of -1 is
    open, and 1 in the file.
    """
    return _write_tflite


def _write_tflite(
    path: Path, tensors: Tensors, operators: Operators, inputs: list[str], outputs: list[str]
) -> None:
    schema: Any = importlib.import_module("ai_edge_litert.schema_py_generated")
    places = {name: place for place, name in enumerate(tensors)}
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.subgraphs, model.buffers = 3, [graph], [schema.BufferT()]
    model.operatorCodes, graph.tensors, graph.operators = [], [], []
    graph.inputs, graph.outputs = ([places[name] for name in names] for names in (inputs, outputs))
    for name, (shape, content) in tensors.items():
        dtype = content if isinstance(content, str) else "float32"
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.buffer = name.encode(), [abs(n) for n in shape], 0
        tensor.shapeSignature = list(shape) if -1 in shape else None
        tensor.type = getattr(schema.TensorType, dtype.upper())
        if not isinstance(content, str):
            buffer = schema.BufferT()
            buffer.data = np.ascontiguousarray(content, "<f4").reshape(-1).view(np.uint8)
            tensor.buffer = len(model.buffers)
            model.buffers.append(buffer)
        graph.tensors.append(tensor)
    for kind, its_inputs, its_outputs in operators:
        code, operator = schema.OperatorCodeT(), schema.OperatorT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, kind)
        operator.opcodeIndex, code.version = len(model.operatorCodes), 1
        operator.inputs = [places[name] for name in its_inputs]
        operator.outputs = [places[name] for name in its_outputs]
        options = kind.title().replace("_", "") + "Options"
        if hasattr(schema, options + "T"):
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, options)
            operator.builtinOptions = getattr(schema, options + "T")()
        model.operatorCodes.append(code)
        graph.operators.append(operator)
    builder = importlib.import_module("flatbuffers").Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(builder.Output())


_START_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 20.0
_READY = "listening on "


@dataclass
class RunningAgent:
    """``address`` is what gRPC takes: ``unix:PATH`` or ``127.0.0.1:PORT``."""

    address: str
    pid: int
    state: Path
    log: Path
    process: subprocess.Popen[bytes]

    def stop(self, with_signal: signal.Signals = signal.SIGTERM) -> int:
        """End it and wait; returns its exit code. Once more does nothing."""
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
        try:
            return self.process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


StartAgent = Callable[..., RunningAgent]


@pytest.fixture
def start_agent() -> Iterator[StartAgent]:
    """Start agents: ``start_agent(*serve_options, state=None, listen=None)``; all are stopped.

    ``python``: of another environment.
    """
    # Not tmp_path: a socket's path must stay under about 100 bytes.
    folder = Path(tempfile.mkdtemp(prefix="tt-"))
    agents: list[RunningAgent] = []

    def start(
        *options: str,
        state: Path | None = None,
        listen: str | None = None,
        python: str | Path = sys.executable,
    ) -> RunningAgent:
        number = len(agents)
        chosen = state or folder / f"state-{number}"
        log = folder / f"agent-{number}.log"
        where = listen or f"unix:{folder}/{number}.sock"
        command = [str(python), "-m", "trimtab_agent", "serve", "--listen", where]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, "--state", str(chosen), *options], stderr=output, stdout=output
            )
        agent = RunningAgent("", process.pid, chosen, log, process)
        agents.append(agent)
        agent.address = _wait_until_ready(agent)
        return agent

    yield start
    for agent in agents:
        agent.stop()
    shutil.rmtree(folder, ignore_errors=True)


def _wait_until_ready(agent: RunningAgent) -> str:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        for line in agent.log.read_text().splitlines():
            if _READY in line:
                return line.partition(_READY)[2].partition('"')[0]  # as JSON it is quoted
        if agent.process.poll() is not None:
            break
        time.sleep(0.01)
    raise AssertionError(f"the agent did not start: {agent.log.read_text()}")
