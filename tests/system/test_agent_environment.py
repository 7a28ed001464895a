"""A board's environment: the agent, one runtime, the older protobuf, the oldest Python at hand."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
AGENT_PYTHON = REPOSITORY / ".venv-agent" / "bin" / "python"
Trimtab = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.skipif(
    not AGENT_PYTHON.exists(), reason="no .venv-agent: `make test` makes it"
)


@pytest.fixture
def board(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    socket = tmp_path / "board.sock"
    process = subprocess.Popen(
        [
            str(AGENT_PYTHON),
            "-m",
            "trimtab_agent",
            "serve",
            "--listen",
            f"unix:{socket}",
            "--state",
            str(tmp_path / "board-state"),
        ],
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 20
    while not socket.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    yield f"unix:{socket}", process
    process.terminate()
    process.wait(timeout=20)


def test_the_environment_holds_the_agent_one_runtime_and_the_older_protobuf() -> None:
    freeze = subprocess.run(
        [str(AGENT_PYTHON), "-m", "pip", "freeze"], check=True, capture_output=True, text=True
    ).stdout.lower()

    assert "protobuf==6." in freeze
    assert "onnxruntime==" in freeze
    for heavy in ("torch", "onnx==", "pydantic", "sqlalchemy", "litert", "trimtab=="):
        assert heavy not in freeze


def test_a_host_measures_on_it_and_learns_what_it_lacks(
    board: tuple[str, subprocess.Popen[bytes]], trimtab: Trimtab, shared_data: Path
) -> None:
    address, process = board
    assert trimtab("devices", "add", "board", address).returncode == 0
    models = shared_data / "models"

    run = trimtab(
        "bench",
        models / "mnist.onnx",
        models / "resnet8_int8.tflite",
        *("--device", "board", "--repeats", 1, "--min-duration", "50ms", "--format", "json"),
    )

    assert run.returncode == 3, run.stderr
    onnx, tflite = json.loads(run.stdout)["results"]
    assert onnx["metrics"]["latency_p50_ms"]["value"] > 0
    assert tflite["error"]["class"] == "device"
    assert "ai_edge_litert" in tflite["error"]["message"]
    assert psutil.Process(process.pid).memory_info().rss < 50e6
