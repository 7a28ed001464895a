"""Bad input ends in one clear line with a class, never in a traceback."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from trimtab_agent.worker.messages import WorkerTask
from worker_refusals import RunTask, refusal


@pytest.mark.parametrize(
    ("runtime", "name", "content", "reason"),
    [
        ("onnxruntime", "empty.onnx", "", "No graph was found in the protobuf"),
        ("onnxruntime", "text.onnx", "hello, this is text\n", "Load model from text.onnx failed"),
        ("litert", "empty.tflite", "", "mmap of size 0 requested"),
        ("litert", "text.tflite", "hello, this is text\n", "not a valid Flatbuffer"),
    ],
)
async def test_a_file_that_is_no_model_is_refused_with_the_runtimes_reason(
    run_task: RunTask, tmp_path: Path, runtime: str, name: str, content: str, reason: str
) -> None:
    (tmp_path / name).write_text(content)
    assert reason in await refusal(run_task, runtime, tmp_path / name)


async def test_a_model_refused_in_the_wild_says_why_once(
    shared_data: Path, run_task: RunTask
) -> None:
    model = shared_data / "models/unloadable_person_detect.tflite"
    message = await refusal(run_task, "litert", model)
    assert message.count("quantized_dimension must be in range") == 1


async def test_a_missing_external_data_file_is_named(
    save_linear: Callable[[int | str], Path], run_task: RunTask, tmp_path: Path
) -> None:
    model = tmp_path / "split" / "model.onnx"
    model.parent.mkdir()
    whole = onnx.load(save_linear(1))
    onnx.save_model(
        whole, model, save_as_external_data=True, location="heavy.bin", size_threshold=0
    )
    (model.parent / "heavy.bin").unlink()
    assert "heavy.bin" in await refusal(run_task, "onnxruntime", model)


async def test_an_unknown_operator_is_named(
    save_graph: Callable[..., Path], run_task: RunTask
) -> None:
    node = helper.make_node("Quux", ["x"], ["y"], domain="my")
    model = save_graph(node, [1, 2], [1, 2], domain="my")
    assert "my:Quux" in await refusal(run_task, "onnxruntime", model)


async def test_a_wrong_input_shape_tells_both_shapes(
    shared_data: Path, run_task: RunTask, tmp_path: Path
) -> None:
    np.savez(tmp_path / "in.npz", images=np.zeros((2, 3, 32, 32), dtype=np.uint8))
    model = shared_data / "models/resnet8_int8.tflite"
    message = await refusal(run_task, "litert", model, inputs_path=str(tmp_path / "in.npz"))
    assert "Nx32x32x3" in message
    assert "2x3x32x32" in message


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"accelerator": "cuda9"}, "no accelerator 'cuda9' on this device; it has: cpu"),
        ({"runtime_options": {"profile_to": "/etc"}}, "no option 'profile_to'; allowed: graph_opt"),
        ({"runtime_options": {"allow_spinning": "2"}}, "allow_spinning='2': allowed are 0, 1"),
        ({"input_shapes": {"image": (1, 2)}}, "no input 'image'; the model has x"),
        ({"input_shapes": {"x": (1, 5)}}, "input 'x' is ?x2 in the file, the shape given is 1x5"),
    ],
)
async def test_settings_that_cannot_be_served_are_named(
    save_linear: Callable[[int | str], Path],
    run_task: RunTask,
    settings: dict[str, Any],
    reason: str,
) -> None:
    assert reason in await refusal(run_task, "onnxruntime", save_linear("n"), **settings)


async def test_a_runtime_that_is_not_there_is_the_devices_matter(run_task: RunTask) -> None:
    failure = (await run_task(WorkerTask(mode="repeat", runtime="warp"))).failure
    assert failure.failure_class == "device"
    assert "no runtime 'warp'; registered: " in failure.message
