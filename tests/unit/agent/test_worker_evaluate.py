"""The accuracy pass gives every sample's own output, in order."""

import gzip
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from trimtab_agent.worker.messages import WorkerTask

RunTask = Callable[[WorkerTask], Awaitable[Any]]
Outputs = dict[str, NDArray[Any]]


@pytest.fixture
def evaluate(run_task: RunTask, tmp_path: Path) -> Callable[..., Awaitable[Any]]:
    """Runs the pass; returns the outputs, or the failure."""

    async def run(runtime: str, model: Path, reduction: str = "none", **inputs: Any) -> Any:
        np.savez(tmp_path / "eval.npz", **inputs)
        outputs_path = tmp_path / "outputs.npz"
        outputs_path.unlink(missing_ok=True)
        task = WorkerTask(
            mode="evaluate",
            runtime=runtime,
            model_path=str(model),
            evaluation_inputs_path=str(tmp_path / "eval.npz"),
            reduction=reduction,
            outputs_path=str(outputs_path),
        )
        heard = await run_task(task)
        if heard.failure is not None:
            assert not outputs_path.exists()
            return heard.failure
        assert heard.only("evaluated")["sample_count"] == len(next(iter(inputs.values())))
        assert not list(tmp_path.glob("*.part"))
        with np.load(outputs_path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}

    return run


@pytest.mark.parametrize("batch", [1, 4, 10, 16, "open"])
async def test_outputs_are_those_of_the_samples_whatever_the_batch(
    save_linear: Callable[[int | str], Path],
    evaluate: Callable[..., Awaitable[Outputs]],
    weights: NDArray[Any],
    batch: int | str,
) -> None:
    x = np.random.default_rng(0).normal(size=(10, 2)).astype(np.float32)
    outputs = await evaluate("onnxruntime", save_linear(batch), x=x)
    assert outputs["y"].shape == (10, 3)
    np.testing.assert_allclose(outputs["y"], x @ weights, rtol=1e-5)


async def test_argmax_is_taken_over_the_last_axis(
    save_linear: Callable[[int | str], Path],
    evaluate: Callable[..., Awaitable[Outputs]],
    weights: NDArray[Any],
) -> None:
    x = np.random.default_rng(1).normal(size=(9, 2)).astype(np.float32)
    outputs = await evaluate("onnxruntime", save_linear("n"), "argmax", anything=x)
    assert outputs["y"].dtype == np.int64
    np.testing.assert_array_equal(outputs["y"], (x @ weights).argmax(axis=1))


async def test_mnist_reaches_its_known_accuracy(
    shared_data: Path, evaluate: Callable[..., Awaitable[Outputs]]
) -> None:
    folder = shared_data / "mnist"
    pixels = gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes())[16:]
    truth = gzip.decompress((folder / "t10k-labels-idx1-ubyte.gz").read_bytes())[8:]
    images = np.frombuffer(pixels, dtype=np.uint8).reshape(-1, 1, 28, 28) / np.float32(255)
    outputs = await evaluate("onnxruntime", shared_data / "models/mnist.onnx", "argmax", x=images)
    (labels,) = outputs.values()
    accuracy = (labels == np.frombuffer(truth, dtype=np.uint8)).mean()
    assert accuracy == pytest.approx(0.989, abs=0.0005)


async def test_integer_images_reach_a_quantized_model_as_real_values(
    shared_data: Path, evaluate: Callable[..., Awaitable[Outputs]]
) -> None:
    with np.load(shared_data / "cifar10/test.npz") as file:
        images, truth = file["images"][:400], file["labels"][:400]
    accuracies = []
    for name in ("resnet8_fp32.tflite", "resnet8_int8.tflite"):
        outputs = await evaluate("litert", shared_data / "models" / name, images=images)
        (scores,) = outputs.values()
        assert scores.dtype == np.float32
        np.testing.assert_allclose(scores.sum(axis=1), 1, atol=0.05)
        accuracies.append((scores.argmax(axis=1) == truth).mean())
    assert accuracies[0] > 0.7
    assert accuracies[1] == pytest.approx(accuracies[0], abs=0.02)


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({"a": np.zeros((3, 2)), "b": np.zeros((3, 2))}, "holds a, b; the model wants x"),
        ({"x": np.zeros((3, 5))}, "wants samples of shape Nx2 (N of them), the file holds 3x5"),
        ({"x": np.zeros((0, 2))}, "need one common number of samples: x 0"),
        ({"x": np.array([["a", "b"]])}, "wants float32, the file holds <U1"),
    ],
)
async def test_inputs_that_do_not_suit_the_model_are_refused(
    save_linear: Callable[[int | str], Path],
    evaluate: Callable[..., Awaitable[Any]],
    inputs: Outputs,
    reason: str,
) -> None:
    failure = await evaluate("onnxruntime", save_linear(1), **inputs)
    assert failure.failure_class == "model"
    assert reason in failure.message


async def test_outputs_that_the_file_misdeclares_or_leaves_open_are_still_right(
    save_graph: Callable[..., Path], evaluate: Callable[..., Awaitable[Outputs]]
) -> None:
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    for declared in ([1, 5], ["a", "b"]):
        model = save_graph(helper.make_node("Neg", ["x"], ["y"]), [1, 2], declared)
        outputs = await evaluate("onnxruntime", model, x=x)
        np.testing.assert_array_equal(outputs["y"], -x)


async def test_outputs_of_changing_shape_are_refused_with_the_reason(
    save_graph: Callable[..., Path], evaluate: Callable[..., Awaitable[Any]]
) -> None:
    nodes = [
        helper.make_node("NonZero", ["x"], ["found"]),
        helper.make_node("Cast", ["found"], ["y"], to=TensorProto.FLOAT),
    ]
    model = save_graph(nodes, [1, 2], [2, "count"])
    same = await evaluate("onnxruntime", model, x=np.ones((2, 2), dtype=np.float32))
    assert same["y"].shape == (2, 2, 2)
    failure = await evaluate("onnxruntime", model, x=np.array([[1, 1], [0, 1]], dtype=np.float32))
    assert failure.failure_class == "model"
    assert "output 'y' changes its shape from sample to sample" in failure.message


async def test_a_pickled_array_is_refused(
    save_linear: Callable[[int | str], Path], evaluate: Callable[..., Awaitable[Any]]
) -> None:
    failure = await evaluate("onnxruntime", save_linear(1), x=np.array([[None, {}]], dtype=object))
    assert failure.failure_class == "model"
    assert "not a readable .npz" in failure.message
