"""Quantization-aware training, from a task to files in two formats."""

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn
from trimtab.compress import held
from trimtab.compress.passes import ModelContext, PassRejected, load_pass
from trimtab.compress.pipeline import apply_to_model, recipe_of
from trimtab.compress.quantized_model import QuantizedModel
from trimtab.export import build_variants
from trimtab.project import PassStep, VariantPlan
from trimtab.records import Variant
from trimtab.task import Task

FORMATS = ("onnx", "tflite")


class Small(nn.Module):
    """A convolution with batch norm behind it, one in a residual branch, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16))
        self.drop = nn.Dropout(0.1)
        self.last = nn.Linear(16, 4)

    def forward(self, image: Tensor) -> Tensor:
        inner = self.first(image)
        inner = torch.relu(inner + self.second(inner))
        logits: Tensor = self.last(self.drop(inner.mean((2, 3))))
        return logits


class FewerInputs:
    """As pruning leaves a layer: it does not look at its first four inputs."""

    shape = (16, 16, 3, 3)

    def restore(self, weight: Tensor) -> None:
        weight[:, :4] = 0


def _quarters(count: int, batch: int = 32) -> Iterator[tuple[Tensor, Tensor]]:
    """Noise that is brighter in one quarter of the image, which is the class."""
    for _ in range(count // batch):
        labels = torch.randint(0, 4, (batch,))
        images = 0.3 * torch.randn(batch, 1, 8, 8)
        for image, label in zip(images, labels.tolist(), strict=True):
            top, left = 4 * (label // 2), 4 * (label % 2)
            image[0, top : top + 4, left : left + 4] += 1 + 0.3 * label
        yield images, labels


def make_task(seed: int = 0, **functions: Callable[..., Any]) -> Task:
    def model() -> nn.Module:
        made = Small()
        optimizer = torch.optim.Adam(made.parameters(), 5e-3)
        for images, labels in _quarters(640):
            loss = nn.functional.cross_entropy(made(images), labels)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
        held.hold(made, {"second.0.weight": FewerInputs()})
        held.restore(made)
        return made

    return Task(
        Path("task.py"),
        {
            "model": model,
            "example_inputs": lambda: torch.zeros(1, 1, 8, 8),
            "train_data": lambda: _quarters(256),
            **functions,
        },
        seed,
    )


def plan(formats: tuple[str, ...] = FORMATS, **settings: Any) -> VariantPlan:
    return VariantPlan("trained", formats, (PassStep("qat", {"epochs": 1, **settings}),))


def trained(task: Task, tmp_path: Path, **settings: Any) -> QuantizedModel:
    (step,) = recipe_of(plan(**settings).passes, "onnx").on_model
    model, _ = apply_to_model([step], task.model, ModelContext(task, tmp_path))
    assert isinstance(model, QuantizedModel)
    return model


def outputs(model: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        result: Tensor = model(images)
    return result


@pytest.fixture(scope="module")
def task() -> Task:
    return make_task()


@pytest.fixture(scope="module")
def built(
    task: Task, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[Variant], list[str]]:
    folder = tmp_path_factory.mktemp("qat")
    lines: list[str] = []
    return folder, build_variants(task, [plan()], folder, lines.append), lines


@pytest.fixture(scope="module")
def plain(task: Task, tmp_path_factory: pytest.TempPathFactory) -> QuantizedModel:
    return trained(task, tmp_path_factory.mktemp("plain"))


def variant_of(variants: list[Variant], model_format: str) -> Variant:
    (found,) = (each for each in variants if (each.name, each.format) == ("trained", model_format))
    assert found.failure is None
    return found


def assert_no_weight_for_the_first_inputs(weights: np.ndarray[Any, Any]) -> None:
    """What an earlier pass set to zero, and holds, training and export left so."""
    assert not weights[:, :4].any()
    assert (weights[:, 4:] != 0).mean() > 0.9


@pytest.mark.parametrize("model_format", FORMATS)
def test_lineage_tells_the_training_and_both_comparisons(
    built: tuple[Path, list[Variant], list[str]], model_format: str
) -> None:
    training, exported, verified = variant_of(built[1], model_format).lineage
    assert "trained with int8 weights per channel and int8 activations" in training
    assert "1 epoch of 256 samples, final loss 0." in training
    assert "without distillation, first ranges from 256 samples of train_data()" in training
    assert model_format in exported.lower()
    assert "differ from the fake-quantized model's by at most" in verified
    assert "differ from the float model's by at most" in verified


def test_training_tells_its_progress(built: tuple[Path, list[Variant], list[str]]) -> None:
    assert any(line.startswith("training: epoch 1 of 1, batch 8 of 8") for line in built[2])


def test_weights_in_the_onnx_file_are_int8(built: tuple[Path, list[Variant], list[str]]) -> None:
    graph = onnx.load(built[0] / "trained.onnx").graph
    weights = [each for each in graph.initializer if len(each.dims) > 1]
    assert sorted(list(each.dims) for each in weights) == [[4, 16], [16, 1, 3, 3], [16, 16, 3, 3]]
    assert {each.data_type for each in weights} == {onnx.TensorProto.INT8}
    (pruned,) = (each for each in weights if list(each.dims) == [16, 16, 3, 3])
    assert_no_weight_for_the_first_inputs(onnx.numpy_helper.to_array(pruned))
    operators = {node.op_type for node in graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= operators
    assert "BatchNormalization" not in operators


def test_weights_in_the_tflite_file_are_int8(
    built: tuple[Path, list[Variant], list[str]],
) -> None:
    interpreter_module: Any = importlib.import_module("ai_edge_litert.interpreter")
    interpreter = interpreter_module.Interpreter(str(built[0] / "trained.tflite"))
    details = interpreter.get_tensor_details()
    assert np.float32 not in {each["dtype"] for each in details}
    per_channel = [each for each in details if len(each["quantization_parameters"]["scales"]) == 16]
    assert sum(each["dtype"] is np.int8 for each in per_channel) == 2
    (pruned,) = (each for each in per_channel if list(each["shape"]) == [16, 3, 3, 16])
    assert_no_weight_for_the_first_inputs(
        interpreter.get_tensor(pruned["index"]).transpose(0, 3, 1, 2)
    )


def test_second_build_does_not_train(
    built: tuple[Path, list[Variant], list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def never(*arguments: Any) -> None:
        raise AssertionError("it trained again")

    monkeypatch.setattr("trimtab.compress.passes.quantization.qat.train", never)
    again = build_variants(make_task(), [plan()], tmp_path, cache_dir=built[0] / ".cache")
    assert variant_of(again, "onnx").lineage == variant_of(built[1], "onnx").lineage
    other = make_task(train_data=lambda: _quarters(128))
    (failed,) = build_variants(other, [plan(("onnx",))], tmp_path, cache_dir=built[0] / ".cache")[
        1:
    ]
    assert failed.failure is not None
    assert "it trained again" in failed.failure.message


@pytest.mark.slow
def test_model_read_back_exports_to_the_same_bytes_as_one_just_trained(
    built: tuple[Path, list[Variant], list[str]], tmp_path: Path
) -> None:
    build_variants(make_task(), [plan()], tmp_path)
    for model_format in FORMATS:
        name = f"trained.{model_format}"
        assert (tmp_path / name).read_bytes() == (built[0] / name).read_bytes()


def test_float_model_is_left_as_it_was(task: Task, plain: QuantizedModel) -> None:
    after = task.model.state_dict()
    assert all(
        torch.equal(value, after[name]) for name, value in make_task().model.state_dict().items()
    )


def test_only_int8_weights_are_left_in_the_folded_model(plain: QuantizedModel) -> None:
    state = plain.converted(fold_weights=True).state_dict()
    weights = [value for value in state.values() if value.ndim > 1]
    assert len(weights) == 3
    assert {value.dtype for value in weights} == {torch.int8}
    assert not any("running_mean" in name for name in state)


def test_distillation_changes_what_is_learned(
    task: Task, plain: QuantizedModel, tmp_path: Path
) -> None:
    images, _ = next(_quarters(32))
    distilled = trained(task, tmp_path, distill=True, temperature=2.0)
    assert not torch.equal(outputs(plain, images), outputs(distilled, images))


def test_distillation_alone_keeps_nearer_to_the_float_model(task: Task, tmp_path: Path) -> None:
    """Labels that are wrong on purpose pull one of the two models away from it."""
    wrong = make_task(
        train_data=lambda: ((images, (labels + 1) % 4) for images, labels in _quarters(256))
    )
    images, _ = next(_quarters(32))
    settings = {"epochs": 3, "learning_rate": 3e-3}
    of_labels = outputs(trained(wrong, tmp_path, **settings), images)
    of_float = outputs(trained(wrong, tmp_path, **settings, distill=1.0), images)
    reference = outputs(wrong.model, images)
    assert (of_float - reference).abs().mean() < 0.6 * (of_labels - reference).abs().mean()


def test_batch_of_any_size_is_taken(plain: QuantizedModel) -> None:
    images, _ = next(_quarters(32))
    one_by_one = torch.cat([outputs(plain, each[None]) for each in images])
    torch.testing.assert_close(outputs(plain, images), one_by_one, atol=1e-4, rtol=0)


def test_per_layer_weights_are_another_model(
    task: Task, plain: QuantizedModel, tmp_path: Path
) -> None:
    images, _ = next(_quarters(32))
    per_layer = trained(task, tmp_path, per_channel=False)
    assert not torch.equal(outputs(per_layer, images), outputs(plain, images))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_ranges_and_statistics_move_until_they_are_frozen(
    task: Task, tmp_path: Path, share: float
) -> None:
    """Seen with a learning rate so small that no weight changes by much."""
    frozen = {"freeze_ranges_after": share, "freeze_batch_norm_after": share}
    shifted = make_task(
        calibration_data=lambda: (images for images, _ in _quarters(256)),
        train_data=lambda: ((2 * images + 1, labels) for images, labels in _quarters(256)),
    )
    images, _ = next(_quarters(32))
    model = trained(shifted, tmp_path, learning_rate=1e-9, **frozen)
    difference = (outputs(model, images) - outputs(shifted.model, images)).abs().mean()
    assert (float(difference) < 0.2) == (share == 0.0)


def test_task_without_train_data_is_refused(tmp_path: Path) -> None:
    without = Task(
        Path("task.py"),
        {"model": Small, "example_inputs": lambda: torch.zeros(1, 1, 8, 8)},
        seed=0,
    )
    (failed,) = build_variants(without, [plan(("onnx",))], tmp_path)[1:]
    assert failed.failure is not None
    assert failed.failure.message == "qat needs train_data(), which task.py lacks"


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 4)

    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = self.layer(features)
        return result if features.sum() > 0 else -result


class Weightless(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        return features.sin()


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (Branching, r"torch\.export does not take the model with an open batch dimension"),
        (Weightless, "qat trains weights, and the model has none that can be trained"),
    ],
)
def test_model_that_does_not_suit_is_refused_in_one_line(
    model: Callable[[], nn.Module], reason: str, tmp_path: Path
) -> None:
    unfit = make_task(
        model=model,
        example_inputs=lambda: torch.ones(1, 8),
        train_data=lambda: [(torch.ones(4, 8), torch.zeros(4, dtype=torch.long))],
        loss=lambda outputs, targets: outputs.mean() + torch.zeros((), requires_grad=True),
    )
    with pytest.raises(PassRejected, match=reason) as caught:
        trained(unfit, tmp_path)
    assert "\n" not in str(caught.value)


def test_loss_of_nan_is_the_variants_own_failure(tmp_path: Path) -> None:
    task = make_task(loss=lambda outputs, targets: outputs.sum() * float("nan"))
    variants = build_variants(task, [plan(("onnx",))], tmp_path)
    assert variants[0].failure is None
    assert variants[1].failure is not None
    assert "training stopped in epoch 1, batch 1: the loss is nan" in variants[1].failure.message


def test_nothing_follows_it_that_quantizes_the_file() -> None:
    with pytest.raises(PassRejected, match="quantize cannot follow qat"):
        recipe_of([PassStep("qat", {}), PassStep("quantize", {"scheme": "fp16"})], "onnx")


def test_temperature_without_distillation_is_refused() -> None:
    config = load_pass("qat").config
    with pytest.raises(ValueError, match="temperature is a setting of distill"):
        config.model_validate({"temperature": 2.0})
    assert config.model_validate({"distill": True}).model_dump()["distill"] == 0.5
