"""Magnitude pruning: which weights become zero, when, that they stay so, and what files gain."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import ai_edge_litert.interpreter as litert
import numpy as np
import onnx
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from trimtab.compress import held
from trimtab.compress.passes import ModelContext, PassRejected, load_pass
from trimtab.compress.passes.sparsity.layer_weights import layer_weights
from trimtab.compress.passes.sparsity.masks import Zeros, smallest, smallest_together
from trimtab.compress.passes.sparsity.schedule import Schedule, Sparsifier
from trimtab.compress.pipeline import apply_to_model, recipe_of
from trimtab.export import build_variants
from trimtab.project import PassStep, VariantPlan
from trimtab.records import Variant
from trimtab.task import Task

TaskMaker = Callable[..., Task]
ONCE = {"epochs": 0}


class Words(nn.Module):
    """An embedding, a norm and two linear layers, of which one takes no groups of four."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(20, 8)
        self.norm = nn.LayerNorm(8)
        self.inner = nn.Linear(8, 6)
        self.last = nn.Linear(6, 4)

    def forward(self, ids: Tensor) -> Tensor:
        scores: Tensor = self.last(torch.relu(self.inner(self.norm(self.words(ids)))))
        return scores


def make_task(**functions: Callable[..., Any]) -> Task:
    def model() -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(4, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Conv2d(32, 32, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(32, 4),
        )

    given = {"model": model, "example_inputs": lambda: torch.zeros(1, 4, 6, 6)}
    return Task(Path("task.py"), {**given, **functions}, seed=0)


def made(task: Task, tmp_path: Path, *passes: PassStep) -> tuple[nn.Module, tuple[str, ...]]:
    steps = recipe_of(passes, "onnx").on_model
    return apply_to_model(steps, task.model, ModelContext(task, tmp_path))


def sparse(task: Task, tmp_path: Path, **settings: Any) -> tuple[nn.Module, str]:
    model, (sentence,) = made(task, tmp_path, PassStep("sparsify", settings))
    return model, sentence


def share(weight: Tensor) -> float:
    return float((weight == 0).float().mean())


def zero_share(model: nn.Module) -> float:
    return share(torch.cat([each.flatten() for each in layer_weights(model).values()]))


def test_smallest_weights_of_all_layers_become_zero_and_no_bias(tmp_path: Path) -> None:
    task = make_task()
    model, sentence = sparse(task, tmp_path, amount=0.75, **ONCE)
    before = torch.cat([each.flatten() for each in layer_weights(task.model).values()])
    after = torch.cat([each.flatten() for each in layer_weights(model).values()])
    assert before[after == 0].abs().max() <= after[after != 0].abs().min()
    assert torch.equal(before[after != 0], after[after != 0])
    assert sentence == (
        "the smallest 75.0% of the weights of all layers together set to zero, in one step, "
        "without training: 75.0% of the 10,496 weights in 3 layers are zero (most in 3, "
        f"{share(model.get_parameter('3.weight')):.1%}); a float file stays as large, compressed "
        "it is smaller"
    )
    assert torch.equal(model.get_parameter("3.bias"), task.model.get_parameter("3.bias"))
    assert share(model.get_parameter("1.weight")) == 0


def test_each_layer_can_lose_the_same_share(tmp_path: Path) -> None:
    model, _ = sparse(make_task(), tmp_path, amount=0.75, scope="layer", **ONCE)
    for weight in layer_weights(model).values():
        assert int((weight == 0).sum()) == round(0.75 * weight.numel())


def test_equal_magnitudes_do_not_take_more_than_was_asked_for() -> None:
    weight = torch.tensor([[1.0, -1.0, 1.0], [-1.0, 0.5, 1.0]])
    assert smallest(weight, 0.5).tolist() == [[True, True, False], [False, True, False]]
    assert smallest(torch.zeros(4), 0.25).all()  # what is zero already is never given back
    assert smallest_together({}, 0.5) == {}


def test_threshold_takes_what_is_not_above_it(tmp_path: Path) -> None:
    task = make_task()
    model, sentence = sparse(task, tmp_path, threshold=0.02, **ONCE)
    for name, weight in layer_weights(model).items():
        assert torch.equal(weight == 0, task.model.get_parameter(name).abs() <= 0.02)
    assert sentence.startswith("weights of at most 0.02 set to zero")


@pytest.mark.parametrize(("pattern", "keep", "of"), [("2:4", 2, 4), ("1:8", 1, 8)])
def test_pattern_keeps_the_largest_of_each_group_along_the_inputs(
    tmp_path: Path, pattern: str, keep: int, of: int
) -> None:
    task = make_task()
    model, sentence = sparse(task, tmp_path, pattern=pattern, **ONCE)
    for name in ("3.weight", "7.weight"):
        weight, before = model.get_parameter(name), task.model.get_parameter(name)
        groups = weight.movedim(1, -1).reshape(-1, of)
        assert ((groups != 0).sum(1) == keep).all()
        largest = before.movedim(1, -1).reshape(-1, of).abs().topk(keep).values.sum(1)
        assert torch.allclose(groups.abs().sum(1), largest)
    fits = of <= 4  # the first convolution has 4 inputs
    assert ("left as they are: 0.weight" in sentence) is not fits
    assert (share(model.get_parameter("0.weight")) > 0) is fits


def test_pattern_that_suits_no_layer_is_refused(tmp_path: Path, tiny_task: TaskMaker) -> None:
    with pytest.raises(PassRejected, match="no layer's inputs come in groups of 16, as pattern"):
        sparse(tiny_task(), tmp_path, pattern="2:16", **ONCE)


def test_embeddings_are_left_unless_asked_for_and_skipped_layers_always(tmp_path: Path) -> None:
    task = make_task(model=Words, example_inputs=lambda: torch.zeros(1, 3, dtype=torch.int64))
    model, _ = sparse(task, tmp_path, skip=["la*"], **ONCE)
    shares = {name: share(each) for name, each in model.named_parameters() if each.ndim > 1}
    assert shares == {"words.weight": 0, "inner.weight": 0.5, "last.weight": 0}
    model, _ = sparse(task, tmp_path, embeddings=True, scope="layer", **ONCE)
    assert share(model.get_parameter("words.weight")) == 0.5
    with pytest.raises(PassRejected, match="skip names no layer with 'head'; the layers are words"):
        sparse(task, tmp_path, skip=["head"], **ONCE)


def test_schedule_is_the_papers_cubic_curve() -> None:
    schedule = Schedule(0.2, 0.6, 5, 100)
    assert [schedule.progress(each) for each in (0, 0.2, 0.6, 1)] == [0, 0, 1, 1]
    assert schedule.progress(0.4) == pytest.approx(1 - 0.5**3)
    due = [step for step in range(101) if schedule.due(step / 100)]
    assert due == [20, 25, 30, 35, 40, 45, 50, 55, 60]
    at_once = Schedule(0, 0, 5, 100)
    assert [step for step in range(101) if at_once.due(step / 100)] == [0]


def stepwise(model: nn.Linear, first: int, last: int) -> Iterator[tuple[int, Tensor]]:
    """A training in which each step moves every weight; the mask that each left."""
    weights = {"weight": cast(nn.Parameter, model.weight)}
    schedule = Schedule(0.1, 0.7, 4, 40)
    sparsifier = Sparsifier(
        model, weights, lambda values, progress: smallest_together(values, 0.8 * progress), schedule
    )
    for step in range(first, last + 1):
        if step > first:
            generator = torch.Generator().manual_seed(step)
            with torch.no_grad():
                model.weight += 0.05 * torch.randn(model.weight.shape, generator=generator)
            held.restore(model)
        sparsifier.after_step(step / 40)
        kept = held.held(model)["weight"]
        assert isinstance(kept, Zeros)
        yield step, kept.mask.clone()


def test_zeros_become_more_and_none_comes_back() -> None:
    model = nn.Linear(20, 10)
    seen = [mask for _, mask in stepwise(model, 0, 40)]
    assert [int(each.sum()) for each in (seen[0], seen[4], seen[28], seen[40])] == [0, 0, 160, 160]
    assert all((now | ~was).all() for was, now in pairwise(seen))
    assert torch.equal(model.weight == 0, seen[-1])


@pytest.mark.parametrize("broken_at", [0, 3, 8, 10, 28, 33])
def test_training_that_goes_on_from_restored_weights_has_the_same_masks(broken_at: int) -> None:
    torch.manual_seed(0)
    unbroken = nn.Linear(20, 10)
    start = unbroken.weight.detach().clone()
    wanted = dict(stepwise(unbroken, 0, 40))
    model = nn.Linear(20, 10)
    model.weight.data = start
    list(stepwise(model, 0, broken_at))
    again = nn.Linear(20, 10)
    again.weight.data = model.weight.detach().clone()
    seen = dict(stepwise(again, broken_at, 40))
    assert all(torch.equal(mask, wanted[step]) for step, mask in seen.items())
    assert torch.equal(again.weight, unbroken.weight)


DATA = (
    "def train_data():\n"
    "    for _ in range(30):\n"
    "        batch = torch.randn(16, 8)\n"
    "        yield batch, batch[:, :4].argmax(1)\n"
)


def test_trained_model_has_the_zeros_that_were_asked_for_and_learned(
    tmp_path: Path, tiny_task: TaskMaker
) -> None:
    def wrong(model: nn.Module) -> float:
        inputs = torch.randn(500, 8, generator=torch.Generator().manual_seed(5))
        with torch.no_grad():
            return float((model(inputs).argmax(1) != inputs[:, :4].argmax(1)).float().mean())

    task = tiny_task(DATA, layer="nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4)")
    settings = {"amount": 0.8, "epochs": 6, "learning_rate": 0.03, "every": 2}
    model, sentence = sparse(task, tmp_path, **settings)
    at_once, _ = sparse(task, tmp_path, amount=0.8, **ONCE)
    assert not model.training
    assert zero_share(model) == pytest.approx(0.8, abs=2e-3)
    assert wrong(model) < 0.2 < wrong(at_once)
    assert "from 0% to 50% of the training (6 epochs of 480 samples, final loss" in sentence
    again, _ = sparse(task, tmp_path, **settings)
    assert all(map(torch.equal, model.state_dict().values(), again.state_dict().values()))


def test_zeros_are_held_by_an_exported_graph_of_the_model(tmp_path: Path) -> None:
    model, _ = sparse(make_task(), tmp_path, **ONCE)
    graph = torch.export.export(model, (torch.zeros(2, 4, 6, 6),)).module()
    held.carry_over(model, graph)
    with torch.no_grad():
        for each in graph.parameters():
            each.add_(1)
    held.restore(graph)
    for name, weight in layer_weights(model).items():
        assert torch.equal(graph.get_parameter(name) == 0, weight == 0)


def test_order_is_refused_before_any_training() -> None:
    for earlier in ("cluster", "qat"):
        with pytest.raises(PassRejected, match=f"pass sparsify cannot follow {earlier}; put it b"):
            recipe_of((PassStep(earlier, {}), PassStep("sparsify", {})), "onnx")
    assert recipe_of((PassStep("sparsify", {}), PassStep("qat", {})), "onnx").on_model


def test_without_training_data_it_works_in_one_step_alone(
    tmp_path: Path, tiny_task: TaskMaker
) -> None:
    model, _ = sparse(tiny_task(), tmp_path, **ONCE)
    assert zero_share(model) == 0.5
    with pytest.raises(PassRejected, match=r"sparsify needs train_data\(\), which task.py lacks"):
        sparse(tiny_task(), tmp_path)


def test_settings_that_contradict_each_other_are_refused() -> None:
    config = load_pass("sparsify").config
    for settings, wanted in (
        ({"amount": 0.5, "pattern": "2:4"}, "amount and pattern exclude each other"),
        ({"begin": 0.6, "end": 0.2}, "begin 0.6 is after end 0.2"),
        ({"pattern": "4:2"}, "'4:2' is no pattern; write it as '2:4', which keeps 2"),
    ):
        with pytest.raises(ValidationError, match=wanted):
            config.model_validate(settings)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Variant]:
    task = make_task(calibration_data=lambda: [torch.randn(16, 4, 6, 6)])
    sparsify = PassStep("sparsify", {"amount": 0.8, "epochs": 0})
    quantize = PassStep("quantize", {"scheme": "static", "samples": 16})
    plans = [
        VariantPlan("sparse", ("onnx",), (sparsify,)),
        VariantPlan("sparse-int8", ("onnx", "tflite"), (sparsify, quantize)),
    ]
    variants = build_variants(task, plans, tmp_path_factory.mktemp("sparse"))
    assert [each.failure for each in variants] == [None] * len(variants)
    return {(each.name, each.format): each for each in variants}


def sizes(variant: Variant) -> tuple[int, int]:
    assert variant.artifact is not None
    file = variant.artifact.files[0].path
    return file.stat().st_size, variant.artifact.download_bytes


def test_float_file_stays_as_large_and_its_download_shrinks(
    files: dict[tuple[str, str], Variant],
) -> None:
    size, download = sizes(files["float", "onnx"])
    sparse_size, sparse_download = sizes(files["sparse", "onnx"])
    assert abs(sparse_size - size) < 0.01 * size
    assert sparse_download < 0.5 * download


@pytest.mark.parametrize("model_format", ["onnx", "tflite"])
def test_zeros_are_zeros_in_static_int8(
    files: dict[tuple[str, str], Variant], model_format: str
) -> None:
    artifact = files["sparse-int8", model_format].artifact
    assert artifact is not None
    path = artifact.files[0].path
    weights = [each for each in int8_weights(path, model_format) if each.size > 1000]
    assert sum(each.size for each in weights) >= 10368
    joined = np.concatenate([each.flatten() for each in weights])
    assert (joined == 0).mean() > 0.79


def int8_weights(path: Path, model_format: str) -> Iterator[np.ndarray]:
    """With a zero point of 0, so that 0 means zero."""
    if model_format == "onnx":
        graph = onnx.load(path).graph
        arrays = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
        for node in graph.node:
            if node.op_type == "DequantizeLinear" and node.input[0] in arrays:
                weight = arrays[node.input[0]]
                if weight.dtype == np.int8:
                    assert not np.any(arrays[node.input[2]])
                    yield weight
        return
    interpreter = litert.Interpreter(str(path))
    for each in interpreter.get_tensor_details():
        if each["dtype"] == np.int8 and len(each["quantization_parameters"]["scales"]) > 1:
            assert not np.any(each["quantization_parameters"]["zero_points"])
            yield interpreter.get_tensor(each["index"])
