"""Layers of a transformer that share one set of weights: in the model, in training, in files."""

import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from torch import Tensor, nn
from trimtab.compress.passes import ModelContext, PassRejected
from trimtab.compress.pipeline import apply_to_model, recipe_of
from trimtab.export import build_variants
from trimtab.export.onnx_shared_weights import merge_equal_weights
from trimtab.project import PassStep, VariantPlan
from trimtab.records import Variant
from trimtab.task import Task

TaskMaker = Callable[..., Task]
WIDTH = 32


class Encoder(nn.Module):
    def __init__(self, depth: int = 4) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(WIDTH, 4, 64, batch_first=True) for _ in range(depth)
        )
        for number, layer in enumerate(self.layers):
            layer.register_buffer("number", torch.tensor(float(number)))
        self.heads = nn.ModuleList(nn.Linear(WIDTH, 2) for _ in range(2))

    def forward(self, words: Tensor) -> Tensor:
        for layer in self.layers:
            words = layer(words)
        return torch.cat([each(words.mean(1)) for each in self.heads], dim=1)


def batches() -> Iterator[tuple[Tensor, Tensor]]:
    for _ in range(5):
        labels = torch.randint(0, 4, (8,))
        yield torch.randn(8, 5, WIDTH) + labels.view(8, 1, 1), labels


@pytest.fixture(scope="module")
def task() -> Task:
    functions: dict[str, Callable[..., Any]] = {
        "model": Encoder,
        "example_inputs": lambda: torch.zeros(1, 5, WIDTH),
        "train_data": batches,
        "calibration_data": lambda: (images for images, _ in batches()),
    }
    return Task(Path("task.py"), functions, 0)


def shared(task: Task, tmp_path: Path, **settings: Any) -> tuple[Encoder, str]:
    (step,) = recipe_of((PassStep("share_layers", settings),), "onnx").on_model
    model, (sentence,) = apply_to_model([step], task.model, ModelContext(task, tmp_path))
    assert isinstance(model, Encoder)
    return model, sentence


def inner(model: nn.Module) -> list[Tensor]:
    return [model.get_parameter(f"layers.{number}.linear1.weight") for number in range(4)]


def test_neighbours_share_the_mean_of_their_weights(task: Task, tmp_path: Path) -> None:
    model, sentence = shared(task, tmp_path, group=2, epochs=0)
    before, after = inner(task.model), inner(model)
    assert after[0] is after[1]
    assert after[2] is after[3]
    assert torch.allclose(after[0], (before[0] + before[1]) / 2)
    assert torch.allclose(after[2], (before[2] + before[3]) / 2)
    each, rest = 8544, 132
    assert sentence == (
        "4 layers of layers share 2 sets of weights, begun with the mean of their weights, "
        f"without training: {2 * each + rest:,} parameters instead of {4 * each + rest:,}; as many "
        "operations"
    )


def test_all_layers_can_begin_with_the_first_ones_weights(task: Task, tmp_path: Path) -> None:
    model, sentence = shared(task, tmp_path, group="all", start="first", epochs=0)
    assert all(each is inner(model)[0] for each in inner(model))
    assert torch.equal(inner(model)[0], inner(task.model)[0])
    assert sentence.startswith("4 layers of layers share 1 set of weights, begun with the first")


def test_what_is_no_parameter_and_no_stack_stays_each_ones_own(task: Task, tmp_path: Path) -> None:
    model, _ = shared(task, tmp_path, group="all", epochs=0)
    numbers = [float(model.get_buffer(f"layers.{number}.number")) for number in range(4)]
    assert numbers == [0, 1, 2, 3]
    assert model.get_parameter("heads.0.weight") is not model.get_parameter("heads.1.weight")


def test_group_that_does_not_divide_the_layers_leaves_a_smaller_one(
    task: Task, tmp_path: Path
) -> None:
    model, _ = shared(task, tmp_path, group=3, epochs=0)
    assert inner(model)[0] is inner(model)[2]
    assert torch.equal(inner(model)[3], inner(task.model)[3])


def test_sharing_outlasts_training_and_pickling(task: Task, tmp_path: Path) -> None:
    untrained, _ = shared(task, tmp_path, epochs=0)
    model, sentence = shared(task, tmp_path, epochs=1)
    model = pickle.loads(pickle.dumps(model))  # noqa: S301
    assert inner(model)[0] is inner(model)[1]
    assert inner(model)[0] is not inner(model)[2]
    assert not torch.equal(inner(model)[0], inner(untrained)[0])
    assert "trained with it (1 epoch of 40 samples" in sentence


def test_model_without_such_layers_is_refused(tmp_path: Path, tiny_task: TaskMaker) -> None:
    with pytest.raises(PassRejected, match=r"share_layers finds no nn.ModuleList with layers of"):
        shared(tiny_task(), tmp_path, epochs=0)


def test_order_is_refused_before_any_training() -> None:
    for earlier in ("sparsify", "cluster", "qat"):
        with pytest.raises(PassRejected, match=f"pass share_layers cannot follow {earlier}"):
            recipe_of((PassStep(earlier, {}), PassStep("share_layers", {})), "onnx")


@pytest.mark.slow
def test_files_hold_shared_weights_once_and_compute_the_same(task: Task, tmp_path: Path) -> None:
    def size(variant: Variant) -> int:
        assert variant.failure is None  # each file is compared with the model as it is made
        assert variant.artifact is not None
        return sum(each.path.stat().st_size for each in variant.artifact.files)

    share = PassStep("share_layers", {"group": "all", "epochs": 0})
    formats = ("onnx", "tflite")
    plans = [
        VariantPlan("shared", formats, (share,)),
        VariantPlan("shared-int8", ("onnx",), (share, PassStep("quantize", {"scheme": "static"}))),
    ]
    made = {(each.name, each.format): each for each in build_variants(task, plans, tmp_path)}
    saved = 3 * 8192 * 4  # of three layers the matrices, which are most of their 8,544 parameters
    for each in formats:
        assert size(made["float", each]) - size(made["shared", each]) > 0.95 * saved
    graph = onnx.load(tmp_path / "shared-int8.onnx").graph
    int8 = [each for each in graph.initializer if each.data_type == onnx.TensorProto.INT8]
    assert len([each for each in int8 if len(each.dims) > 1]) == 6  # of one layer 4, of heads 2


def test_equal_matrices_are_written_once_and_vectors_as_often_as_they_are(tmp_path: Path) -> None:
    make = onnx.helper
    file = tmp_path / "model.onnx"
    values = {"a": (2, 3), "b": (2, 3), "c": (3, 2), "v": (6,), "w": (6,)}
    zeros = [
        onnx.numpy_helper.from_array(torch.ones(shape).numpy(), name)
        for name, shape in values.items()
    ]
    nodes = [
        make.make_node("Add", ["a", "b"], ["sum"]),
        make.make_node("Add", ["v", "w"], ["other"]),
        make.make_node("MatMul", ["sum", "c"], ["product"]),
    ]
    outputs = [
        make.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("product", (2, 2)), ("other", (6,)))
    ]
    onnx.save(make.make_model(make.make_graph(nodes, "g", [], outputs, zeros)), file)
    merge_equal_weights(file)
    graph = onnx.load(file).graph
    assert [each.name for each in graph.initializer] == ["a", "c", "v", "w"]
    assert list(graph.node[0].input) == ["a", "a"]
    onnx.checker.check_model(file)
