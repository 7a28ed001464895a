"""The memory pass against models of known size, and against the kernel's own word."""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from trimtab_agent.worker.messages import WorkerTask
from trimtab_agent.worker.resident import read_peak, read_resident, reset_peak

RunTask = Callable[[WorkerTask], Awaitable[Any]]
MIB = 1 << 20
BUFFER = 16 * MIB
SIDE = 5000  # of a square float matrix of 100 MB
FORMATS = {"onnxruntime": "onnx", "litert": "tflite"}

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells these figures")


@pytest.fixture
def measure(run_task: RunTask) -> Callable[..., Awaitable[dict[str, int]]]:
    async def run(runtime: str, model: Path, **options: str) -> dict[str, int]:
        heard = await run_task(
            WorkerTask(
                mode="memory", runtime=runtime, model_path=str(model), runtime_options=options
            )
        )
        assert heard.failure is None
        figures: dict[str, int] = heard.only("memory")
        return figures

    return run


Measure = Callable[..., Awaitable[dict[str, int]]]


async def test_a_heavier_model_takes_the_memory_of_its_weights(
    save_graph: Callable[..., Path], measure: Measure
) -> None:
    use = {}
    for width in (8, 8 * MIB):
        weights = np.ones((1, width), dtype=np.float32)
        model = save_graph(helper.make_node("Mul", ["x", "w"], ["y"]), [1, 1], [1, width], weights)
        use[width] = await measure("onnxruntime", model)
    light, heavy = use[8], use[8 * MIB]
    assert heavy["model_bytes"] - light["model_bytes"] > 32 * MIB
    assert heavy["load_peak_bytes"] - light["load_peak_bytes"] > 32 * MIB
    assert heavy["runtime_bytes"] == pytest.approx(light["runtime_bytes"], rel=0.2)
    for figures in use.values():
        assert figures["peak_bytes"] > figures["peak_file_backed_bytes"] > 0
        assert figures["peak_bytes"] >= figures["loaded_bytes"] >= figures["runtime_bytes"]
    assert heavy["retained_bytes"] < heavy["model_bytes"]


def _chain() -> tuple[list[tuple[str, str, str]], tuple[int, int]]:
    """tanh, sigmoid, tanh over tensors of BUFFER bytes: the inputs and outputs of each."""
    names = ["x", "a", "b", "y"]
    kinds = ["Tanh", "Sigmoid", "Tanh"]
    return list(zip(kinds, names, names[1:], strict=False)), (1, BUFFER // 4)


async def test_onnxruntime_s_peak_is_the_arithmetic_of_the_activations(
    save_graph: Callable[..., Path], measure: Measure
) -> None:
    """The second operator works in place: one intermediate tensor, one output."""
    steps, shape = _chain()
    nodes = [helper.make_node(kind, [before], [after]) for kind, before, after in steps]
    figures = await measure("onnxruntime", save_graph(nodes, list(shape), list(shape)))
    above = figures["peak_bytes"] - figures["loaded_bytes"]
    assert above == pytest.approx(2 * BUFFER, rel=0.05)


@pytest.mark.parametrize(("xnnpack", "at_inference"), [("off", 2), ("on", 1)])
async def test_litert_s_peak_is_the_arithmetic_of_the_activations(
    write_tflite: Callable[..., None],
    tmp_path: Path,
    measure: Measure,
    xnnpack: str,
    at_inference: int,
) -> None:
    """XNNPACK takes (and clears) the intermediate tensor's room already while it loads."""
    steps, shape = _chain()
    kinds = {"Tanh": "TANH", "Sigmoid": "LOGISTIC"}
    write_tflite(
        tmp_path / "m.tflite",
        dict.fromkeys(("x", "a", "b", "y"), (shape, "float32")),
        [(kinds[kind], [before], [after]) for kind, before, after in steps],
        ["x"],
        ["y"],
    )
    figures = await measure("litert", tmp_path / "m.tflite", xnnpack=xnnpack)
    above = figures["peak_bytes"] - figures["loaded_bytes"]
    assert above == pytest.approx(at_inference * BUFFER, rel=0.05)
    while_loading = figures["load_peak_bytes"] - figures["runtime_bytes"]
    assert while_loading // BUFFER == 2 - at_inference


@pytest.fixture(scope="module")
def heavy(
    tmp_path_factory: pytest.TempPathFactory, write_tflite: Callable[..., None]
) -> Iterator[Path]:
    """A folder with 100 MB of float weights, once as heavy.onnx, once as heavy.tflite."""
    folder = tmp_path_factory.mktemp("heavy")
    weights = np.random.default_rng(0).standard_normal((SIDE, SIDE), dtype=np.float32)
    row = (1, SIDE)
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w"], ["y"], transB=1)],
        "heavy",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, row)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, row)],
        [numpy_helper.from_array(weights, "w")],
    )
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), folder / "heavy.onnx")
    write_tflite(
        folder / "heavy.tflite",
        {
            "x": (row, "float32"),
            "w": ((SIDE, SIDE), weights),
            "b": ((SIDE,), np.zeros(SIDE)),
            "y": (row, "float32"),
        },
        [("FULLY_CONNECTED", ["x", "w", "b"], ["y"])],
        ["x"],
        ["y"],
    )
    yield folder
    shutil.rmtree(folder)


async def test_mapped_weights_are_told_apart_from_copied_ones(
    heavy: Path, measure: Measure
) -> None:
    weights = 4 * SIDE * SIDE
    mapped = await measure("litert", heavy / "heavy.tflite", xnnpack="off")
    copied = await measure("onnxruntime", heavy / "heavy.onnx")
    for figures in (mapped, copied):
        assert figures["model_bytes"] == pytest.approx(weights, rel=0.15)
    assert mapped["model_file_backed_bytes"] == pytest.approx(weights, rel=0.1)
    assert mapped["peak_file_backed_bytes"] > weights
    assert copied["model_file_backed_bytes"] < 0.2 * weights


_JUST_LOAD = {
    "onnxruntime": "import onnxruntime\n"
    "options = onnxruntime.SessionOptions()\n"
    "options.intra_op_num_threads = options.inter_op_num_threads = 1\n"
    "before = read('VmRSS')\n"
    "kept = onnxruntime.InferenceSession(sys.argv[1], options)\n",
    "litert": "from ai_edge_litert.interpreter import Interpreter\n"
    "before = read('VmRSS')\n"
    "kept = Interpreter(sys.argv[1], num_threads=1)\n"
    "kept.allocate_tensors()\n",
}
_READ = (
    "import sys\n"
    "def read(name):\n"
    "    lines = open('/proc/self/status').read().splitlines()\n"
    "    return 1024 * int(next(x for x in lines if x.startswith(name + ':')).split()[1])\n"
)


@pytest.mark.parametrize("runtime", sorted(FORMATS))
async def test_the_load_peak_is_what_the_kernel_says_of_a_process_that_only_loads(
    heavy: Path, measure: Measure, runtime: str
) -> None:
    model = heavy / f"heavy.{FORMATS[runtime]}"
    program = _READ + _JUST_LOAD[runtime] + "print(read('VmHWM'), before)\n"
    command = [sys.executable, "-c", program, str(model)]
    said = await asyncio.to_thread(subprocess.check_output, command, timeout=60)
    true_peak, before = (int(word) for word in said.split())
    figures = await measure(runtime, model)
    assert figures["load_peak_bytes"] >= true_peak
    growth = figures["load_peak_bytes"] - figures["runtime_bytes"]
    assert growth == pytest.approx(true_peak - before, rel=0.02)
    assert growth > 1.9 * 4 * SIDE * SIDE, "both hold the weights twice while they load"


def test_the_system_s_figures_are_read_as_they_stand(tmp_path: Path) -> None:
    status = "Name:\tpython\nVmRSS:\t  9999 kB\nRssFile:\t 9 kB\nRssShmem:\t 1024 kB\n"
    (tmp_path / "status").write_text(status + "VmHWM:\t 4096 kB\n")
    assert read_resident(tmp_path).total == 9999 << 10
    assert read_resident(tmp_path).file_backed == 9 << 10
    assert read_peak(tmp_path) == 4 * MIB
    rollup = "0-1 ---p 00000000 00:00 0 [rollup]\nRss: 4096 kB\nAnonymous: 1024 kB\n"
    (tmp_path / "smaps_rollup").write_text(rollup)
    assert read_resident(tmp_path).total == 4 * MIB
    assert read_resident(tmp_path).file_backed == 2 * MIB  # nor is shared memory a file's


def test_a_system_that_does_not_tell_gives_none(tmp_path: Path) -> None:
    absent = tmp_path / "no such folder"
    assert read_resident(absent).total is None
    assert read_resident(absent).file_backed is None
    assert read_peak(absent) is None
    assert reset_peak(absent) is False
