"""One repeat through real runtimes, in a real worker."""

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper
from trimtab_agent.worker.messages import SAMPLES_PER_MESSAGE, WorkerTask

RunTask = Callable[[WorkerTask], Awaitable[Any]]


def repeat(runtime: str, model: Path, **settings: Any) -> WorkerTask:
    values: dict[str, Any] = {
        "min_duration_ns": 20_000_000,
        "max_duration_ns": 2_000_000_000,
        "min_sample_count": 20,
        "min_warmup_count": 3,
    }
    return WorkerTask(
        mode="repeat", runtime=runtime, model_path=str(model), **{**values, **settings}
    )


@pytest.mark.parametrize(
    ("runtime", "file", "input_shape"),
    [
        ("onnxruntime", "mnist.onnx", [1, 1, 28, 28]),
        ("litert", "resnet8_int8.tflite", [-1, 32, 32, 3]),
    ],
)
async def test_a_repeat_tells_every_phase_and_every_sample(
    shared_data: Path, run_task: RunTask, runtime: str, file: str, input_shape: list[int]
) -> None:
    origin = time.perf_counter_ns()
    task = repeat(runtime, shared_data / "models" / file, clock_origin_ns=origin)
    heard = await run_task(task)
    assert heard.failure is None
    phases = [message["phase"] for message in heard.of("phase")]
    assert phases == ["load", "first_inference", "warm_up", "measure"]
    loaded = heard.only("loaded")
    assert loaded["inputs"][0]["dimensions"] == input_shape
    assert loaded["accelerator_used"] == "cpu"
    assert loaded["runtime_version"]
    assert loaded["load_ns"] > 0
    assert heard.only("first_inference")["duration_ns"] > 0
    assert heard.only("warmed_up")["count"] >= 3
    assert heard.only("io")["duration_ns"] > 0
    assert heard.only("finite")["finite"] is True
    starts = [start for message in heard.of("samples") for start in message["start_offset_ns"]]
    latencies = [value for message in heard.of("samples") for value in message["latency_ns"]]
    assert len(starts) == len(latencies) == heard.only("measured")["sample_count"] >= 20
    assert 0 < starts[0] < time.perf_counter_ns() - origin
    assert starts[-1] + latencies[-1] - starts[0] >= task.min_duration_ns
    ends = [start + latency for start, latency in zip(starts, latencies, strict=True)]
    assert all(end <= start for end, start in zip(ends, starts[1:], strict=False))


async def test_many_samples_come_in_several_messages(run_task: RunTask, tmp_path: Path) -> None:
    count = 2 * SAMPLES_PER_MESSAGE + 1
    task = repeat("null", tmp_path / "none", min_sample_count=count, min_duration_ns=0)
    heard = await run_task(task)
    assert [len(message["latency_ns"]) for message in heard.of("samples")] == [
        SAMPLES_PER_MESSAGE,
        SAMPLES_PER_MESSAGE,
        1,
    ]


async def test_a_chatty_model_gives_one_line(shared_data: Path, run_task: RunTask) -> None:
    task = repeat("onnxruntime", shared_data / "models/ultraface_rfb_320.onnx", min_sample_count=2)
    (warning,) = (await run_task(task)).only("loaded")["warnings"]
    assert "244 weights are also graph inputs" in warning
    assert "\n" not in warning


async def test_nan_in_the_outputs_is_seen(
    save_graph: Callable[..., Path], run_task: RunTask, tmp_path: Path
) -> None:
    model = save_graph(helper.make_node("Log", ["x"], ["y"]), [1, 2], [1, 2])
    np.savez(tmp_path / "inputs.npz", x=np.array([[-1, 1]], dtype=np.float32))
    task = repeat("onnxruntime", model, inputs_path=str(tmp_path / "inputs.npz"))
    assert (await run_task(task)).only("finite")["finite"] is False


async def test_an_output_shape_that_the_file_promises_wrongly_still_runs(
    save_graph: Callable[..., Path], run_task: RunTask
) -> None:
    shape = np.array([3, -1], dtype=np.int64)
    node = helper.make_node("Reshape", ["x", "w"], ["y"])
    model = save_graph(node, ["batch", 4], [3, 4], shape)
    task = repeat("onnxruntime", model, input_shapes={"x": (6, 4)})
    assert (await run_task(task)).failure is None


async def test_a_shape_is_needed_for_open_dimensions_beyond_the_batch(
    save_graph: Callable[..., Path], run_task: RunTask
) -> None:
    model = save_graph(
        helper.make_node("Relu", ["x"], ["y"]), ["n", 3, "h", "w"], ["n", 3, "h", "w"]
    )
    failure = (await run_task(repeat("onnxruntime", model))).failure
    assert failure.failure_class == "model"
    assert (
        "open dimensions: x ?x3x?x?: give --shape x=1x3xNxN, a number for each N" in failure.message
    )
    heard = await run_task(repeat("onnxruntime", model, input_shapes={"x": (1, 3, 8, 8)}))
    assert heard.failure is None
