"""Weights that take one of a few values: how these are found, kept, and what files gain."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from torch import Tensor, nn
from trimtab.compress import held
from trimtab.compress.passes import ModelContext, PassRejected
from trimtab.compress.passes.sharing.palette import palette_of
from trimtab.compress.pipeline import apply_to_model, recipe_of
from trimtab.export import build_variants
from trimtab.project import PassStep, VariantPlan
from trimtab.task import Task

TaskMaker = Callable[..., Task]
DATA = (
    "def train_data():\n"
    "    for _ in range(30):\n"
    "        batch = torch.randn(16, 8)\n"
    "        yield batch, batch[:, :4].argmax(1)\n"
)
LAYERS = "nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4)"
WEIGHTS = ("0.weight", "2.weight", "4.weight")


def made(task: Task, tmp_path: Path, *passes: PassStep) -> tuple[nn.Module, str]:
    steps = recipe_of(passes, "onnx").on_model
    model, lineage = apply_to_model(steps, task.model, ModelContext(task, tmp_path))
    return model, lineage[-1]


def clustered(task: Task, tmp_path: Path, **settings: Any) -> tuple[nn.Module, str]:
    return made(task, tmp_path, PassStep("cluster", settings))


def values(model: nn.Module, name: str) -> int:
    return len(torch.unique(model.get_parameter(name)))


def as_palette(weight: Tensor, size: int) -> Tensor:
    shared = weight.clone()
    palette_of(weight, size, preserve_zeros=True).restore(shared)
    return shared


@pytest.mark.parametrize("size", [4, 8])
def test_values_are_those_of_k_means(size: int) -> None:
    torch.manual_seed(0)
    weight = torch.randn(60, 50)
    points = weight.numpy().astype(np.float64).reshape(-1, 1)
    start = np.linspace(points.min(), points.max(), size).reshape(-1, 1)
    known = KMeans(size, init=start, n_init=1, tol=0, max_iter=1000).fit(points)
    wanted = known.cluster_centers_[known.labels_].reshape(60, 50)
    assert np.allclose(as_palette(weight, size).numpy(), wanted, atol=1e-6)


def test_few_different_weights_stay_exactly_as_they_are() -> None:
    weight = torch.tensor([[0.5, -0.25], [0.5, 1.0]])
    assert torch.equal(as_palette(weight, 16), weight)
    assert torch.equal(as_palette(torch.zeros(3, 3), 4), torch.zeros(3, 3))
    assert torch.equal(as_palette(torch.full((3, 3), 0.7), 4), torch.full((3, 3), 0.7))


def test_each_layer_has_its_values_and_biases_keep_theirs(
    tmp_path: Path, tiny_task: TaskMaker
) -> None:
    task = tiny_task(layer=LAYERS)
    model, sentence = clustered(task, tmp_path, clusters=8, skip=["4"], epochs=0)
    assert [values(model, name) for name in WEIGHTS] == [8, 8, 256]
    assert torch.equal(model.get_parameter("2.bias"), task.model.get_parameter("2.bias"))
    assert sentence == (
        "the 4,608 weights of 2 layers share at most 8 values a layer, by k-means, without "
        "training; a float file stays as large (no format here stores the 3 bits a weight that "
        "would do), compressed it is smaller"
    )


@pytest.mark.slow
def test_training_moves_the_values_and_keeps_what_shares_them(
    tmp_path: Path, tiny_task: TaskMaker
) -> None:
    def wrong(model: nn.Module) -> float:
        inputs = torch.randn(500, 8, generator=torch.Generator().manual_seed(5))
        with torch.no_grad():
            return float((model(inputs).argmax(1) != inputs[:, :4].argmax(1)).float().mean())

    task = tiny_task(DATA, layer=LAYERS)
    settings = {"clusters": 8, "epochs": 3, "learning_rate": 0.03}
    before, _ = clustered(task, tmp_path, clusters=8, epochs=0)
    after, sentence = clustered(task, tmp_path, **settings)
    for name in WEIGHTS:
        was, now = before.get_parameter(name), after.get_parameter(name)
        pairs = torch.unique(torch.stack([was.flatten(), now.flatten()]), dim=1)
        assert pairs.shape[1] == 8
        assert not torch.equal(was, now)
    assert wrong(after) < 0.3 < wrong(before)
    assert "trained with them (3 epochs of 480 samples, final loss" in sentence
    again, _ = clustered(task, tmp_path, **settings)
    assert all(map(torch.equal, after.state_dict().values(), again.state_dict().values()))


def test_zeros_of_sparsify_stay_through_training(tmp_path: Path, tiny_task: TaskMaker) -> None:
    task = tiny_task(DATA, layer=LAYERS)
    sparsify = PassStep("sparsify", {"amount": 0.7, "epochs": 0})
    sparse, _ = made(task, tmp_path, sparsify)
    cluster = PassStep("cluster", {"clusters": 8, "epochs": 1})
    model, sentence = made(task, tmp_path, sparsify, cluster)
    for name in WEIGHTS:
        assert torch.equal(model.get_parameter(name) == 0, sparse.get_parameter(name) == 0)
        assert values(model, name) <= 8
    assert "by k-means, zeros kept, trained with them (1 epoch" in sentence
    undoing = PassStep("cluster", {"preserve_zeros": False, "epochs": 0})
    with pytest.raises(PassRejected, match="preserve_zeros = false would undo the zeros"):
        made(task, tmp_path, sparsify, undoing)


def test_zeros_are_one_value_among_others_where_they_need_not_stay() -> None:
    weight = torch.tensor([[0.0, 0.01, 1.0, 1.01]])
    kept, free = (palette_of(weight, 2, preserve_zeros=each) for each in (True, False))
    moved = [weight.clone(), weight.clone()]
    for each, values in zip((kept, free), moved, strict=True):
        each.restore(values)
    assert moved[0].tolist() == [[0, *3 * [pytest.approx(2.02 / 3)]]]
    assert moved[1].tolist() == [[*2 * [pytest.approx(0.005)], *2 * [pytest.approx(1.005)]]]


def test_palettes_are_held_by_an_exported_graph_of_the_model(
    tmp_path: Path, tiny_task: TaskMaker
) -> None:
    model, _ = clustered(tiny_task(layer=LAYERS), tmp_path, clusters=8, epochs=0)
    graph = torch.export.export(model, (torch.zeros(2, 8),)).module()
    held.carry_over(model, graph)
    with torch.no_grad():
        for each in graph.parameters():
            each.add_(torch.randn_like(each))
    held.restore(graph)
    assert [values(graph, name) for name in WEIGHTS] == [8, 8, 8]


def test_download_shrinks_and_the_float_file_does_not(tmp_path: Path, tiny_task: TaskMaker) -> None:
    plan = VariantPlan("shared", ("onnx",), (PassStep("cluster", {"clusters": 16, "epochs": 0}),))
    plain, shared = build_variants(tiny_task(layer=LAYERS), [plan], tmp_path)
    assert plain.artifact is not None
    assert shared.artifact is not None
    size, shared_size = (each.artifact.files[0].path.stat().st_size for each in (plain, shared))  # type: ignore[union-attr]
    assert abs(shared_size - size) < 0.01 * size
    assert shared.artifact.download_bytes < 0.4 * plain.artifact.download_bytes


def test_without_training_data_it_works_untrained_alone(
    tmp_path: Path, tiny_task: TaskMaker
) -> None:
    assert values(clustered(tiny_task(), tmp_path, clusters=4, epochs=0)[0], "0.weight") == 4
    with pytest.raises(PassRejected, match=r"cluster needs train_data\(\), which task.py lacks"):
        clustered(tiny_task(), tmp_path)


def test_a_model_without_weights_of_layers_is_refused(tmp_path: Path, tiny_task: TaskMaker) -> None:
    for use in ("cluster", "sparsify"):
        with pytest.raises(PassRejected, match=f"{use} finds no weights of layers"):
            made(tiny_task(layer="nn.LayerNorm(8)"), tmp_path, PassStep(use, {"epochs": 0}))
