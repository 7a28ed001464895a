"""Layers replaced by products of smaller ones: what they compute, what they cost, what is left."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from torch import Tensor, nn
from trimtab.compress.passes import ModelContext, PassRejected, load_pass
from trimtab.compress.passes.factorization.choice import options
from trimtab.compress.passes.factorization.decompositions import Decomposition, Site, Tucker2
from trimtab.compress.passes.factorization.factored import Factored, fuse_back, numeric_padding
from trimtab.compress.passes.factorization.observation import observe, total_macs
from trimtab.compress.passes.factorization.replacing import fuse_back_where_dearer
from trimtab.compress.passes.factorization.weighting import weighted
from trimtab.compress.pipeline import apply_to_model, recipe_of
from trimtab.export import build_variants
from trimtab.project import PassStep, VariantPlan
from trimtab.task import Task, load_task

_CP_RANK = 4
METHODS = ("tucker2", "spatial-svd", "cp")
CONVOLUTIONS: dict[str, Callable[[], nn.Module]] = {
    "plain": lambda: nn.Conv2d(6, 8, 3, padding=1),
    "stride": lambda: nn.Conv2d(6, 8, 3, stride=2, padding=1, bias=False),
    "uneven": lambda: nn.Conv2d(6, 8, (3, 5), stride=(1, 2), padding=(0, 2), dilation=(2, 1)),
    "same": lambda: nn.Conv2d(6, 8, 3, padding="same", dilation=2),
    "reflected": lambda: nn.Conv2d(6, 8, 3, padding=1, padding_mode="reflect"),
    "one axis": lambda: nn.Conv2d(6, 8, (1, 3), padding=(0, 1)),
    "size 1": lambda: nn.Conv2d(6, 8, 1, stride=2, padding=1),
}


class Small(nn.Module):
    """A residual addition, a depthwise convolution, a layer called twice, and a tied weight."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(16, 32, 3, stride=2, padding=1)
        self.depthwise = nn.Conv2d(32, 32, 3, padding=1, groups=32)
        self.second = nn.Conv2d(32, 32, 3, padding=1)
        self.twice = nn.Linear(32, 32)
        self.tied = nn.Linear(32, 32)
        self.tied_too = nn.Linear(32, 32)
        self.tied_too.weight = self.tied.weight
        self.last = nn.Linear(32, 4)

    def forward(self, image: Tensor) -> Tensor:
        inner = torch.relu(self.first(image))
        inner = torch.relu(inner + self.second(self.depthwise(inner)))
        features = self.tied_too(self.tied(self.twice(self.twice(inner.mean((2, 3))))))
        scores: Tensor = self.last(features)
        return scores


def images(count: int) -> Tensor:
    return torch.randn(count, 16, 8, 8, generator=torch.Generator().manual_seed(1))


def make_task(
    model: Callable[[], nn.Module] = Small, example: Any = None, **functions: Callable[..., Any]
) -> Task:
    needed = {"model": model, "example_inputs": lambda: images(1) if example is None else example}
    return Task(Path("task.py"), {**needed, **functions}, seed=0)


def factorized(task: Task, tmp_path: Path, **settings: Any) -> tuple[nn.Module, str]:
    (step,) = recipe_of([PassStep("factorize", {"epochs": 0, **settings})], "onnx").on_model
    model, (sentence,) = apply_to_model([step], task.model, ModelContext(task, tmp_path))
    return model, sentence


def outputs(model: nn.Module, *inputs: Tensor) -> Tensor:
    with torch.no_grad():
        result: Tensor = model(*inputs)
    return result


def way_of(layer: nn.Module, inputs: Tensor, method: Any) -> Decomposition:
    seen = observe(nn.Sequential(layer), (inputs,))["0"]
    (way,) = options(Site("0", layer, seen.inputs, seen.outputs), method, seed=0)
    return way


def full_rank(way: Decomposition) -> Factored:
    ranks = (_CP_RANK,) if way.method == "cp" else way.ranks(1.0, round_to=8)
    return way.build(ranks)


def of_low_rank(layer: Any) -> Any:
    """A kernel that CP can write exactly."""
    parts = [torch.randn(size, _CP_RANK) for size in layer.weight.shape]
    with torch.no_grad():
        layer.weight.copy_(torch.einsum("ar,br,cr,dr->abcd", *parts) / 20)
    return layer


@pytest.mark.parametrize("kind", CONVOLUTIONS)
@pytest.mark.parametrize("method", METHODS)
def test_full_rank_computes_the_same_and_fuses_back_to_the_layer(kind: str, method: str) -> None:
    torch.manual_seed(0)
    layer = of_low_rank(CONVOLUTIONS[kind]())
    inputs = torch.randn(2, 6, 12, 11)
    factored = full_rank(way_of(layer, inputs[:1], method))
    loose = 1e-2 if method == "cp" else 1e-5  # alternating least squares come near
    torch.testing.assert_close(
        outputs(factored, inputs), outputs(layer, inputs), atol=loose, rtol=0
    )
    whole: Any = fuse_back(factored)
    assert (whole.stride, whole.dilation) == (layer.stride, layer.dilation)
    assert (whole.padding, whole.padding_mode) == (numeric_padding(layer), layer.padding_mode)
    torch.testing.assert_close(outputs(whole, inputs), outputs(factored, inputs))
    torch.testing.assert_close(whole.weight, layer.weight, atol=loose, rtol=0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["plain", "stride", "uneven"])
def test_macs_foretold_are_those_of_the_layers_built(kind: str, method: str) -> None:
    layer, inputs = CONVOLUTIONS[kind](), torch.randn(1, 6, 12, 11)
    way = way_of(layer, inputs, method)
    ranks = (3, 2) if method == "tucker2" else (3,)
    assert way.macs(ranks) == total_macs(observe(way.build(ranks), (inputs,)))
    assert way.original_work == total_macs(observe(nn.Sequential(layer), (inputs,)))


def test_one_dimensional_convolutions_are_taken() -> None:
    layer, inputs = nn.Conv1d(6, 8, 5, stride=2, padding=2), torch.randn(1, 6, 20)
    way = way_of(layer, inputs, "auto")
    assert isinstance(way, Tucker2)
    torch.testing.assert_close(outputs(full_rank(way), inputs), outputs(layer, inputs))


def test_energy_is_a_bound_on_what_is_lost() -> None:
    torch.manual_seed(0)
    layer, inputs = nn.Conv2d(24, 24, 3), torch.randn(1, 24, 8, 8)
    for method in ("tucker2", "spatial-svd"):
        way = way_of(layer, inputs, method)
        ranks = way.ranks(0.8, round_to=1)
        assert max(ranks) < 24 * 3
        lost = way.squared_error(way.build(ranks)) / float(layer.weight.detach().square().sum())
        assert 0 < lost <= 0.2


def test_ratio_is_kept_layer_by_layer_and_ranks_are_multiples(tmp_path: Path) -> None:
    task = make_task()
    model, sentence = factorized(task, tmp_path, ratio=0.6, round_to=4)
    before, after = (observe(each, (images(1),)) for each in (task.model, model))
    for name in ("first", "second"):
        layer = model.get_submodule(name)
        assert isinstance(layer, Factored)
        inner = [each.out_channels for each in list(layer)[:-1] if isinstance(each, nn.Conv2d)]
        assert all(rank % 4 == 0 for rank in inner)
        cost = sum(seen.macs for key, seen in after.items() if key.startswith(f"{name}."))
        assert 0.3 < cost / before[name].macs <= 0.6
    parameters = [sum(p.numel() for p in each.parameters()) for each in (task.model, model)]
    assert f"parameters {parameters[0]:,} -> {parameters[1]:,}" in sentence
    assert f"MACs {total_macs(before):,} -> {total_macs(after):,}" in sentence


def test_layers_that_cannot_be_replaced_are_left_and_told(tmp_path: Path) -> None:
    model, sentence = factorized(make_task(), tmp_path, ratio=0.6)
    for name in ("depthwise", "twice", "tied", "tied_too", "last"):
        assert isinstance(model.get_submodule(name), nn.Conv2d | nn.Linear)
    assert "depthwise (grouped or depthwise)" in sentence
    assert "twice (called more than once)" in sentence
    assert "tied, tied_too (weights shared with another layer)" in sentence
    assert "last (it would save nothing)" in sentence
    assert "factorized 2 of 7 layers" in sentence


def test_target_over_the_model_is_reached_and_cuts_more_where_less_is_lost(tmp_path: Path) -> None:
    def easy_and_hard() -> nn.Module:
        torch.manual_seed(0)
        easy, hard = nn.Linear(64, 64), nn.Linear(64, 64)
        with torch.no_grad():
            easy.weight.copy_(torch.randn(64, 8) @ torch.randn(8, 64))
        return nn.Sequential(easy, nn.ReLU(), hard)

    inputs = torch.ones(1, 64)
    task = make_task(easy_and_hard, inputs)
    model, _ = factorized(task, tmp_path, macs=0.6)
    left = [total_macs(observe(each, (inputs,))) for each in (model, task.model)]
    assert left[0] / left[1] == 0.5  # ranks 8 and 24; the next step, 8 and 32, is above 0.6
    assert isinstance(model[0], Factored)  # type: ignore[index]
    assert model[0][0].out_features == 8  # type: ignore[index]
    with pytest.raises(PassRejected, match=r"macs = 0.1 is out of reach: .* leaves 0.250 of"):
        factorized(task, tmp_path, macs=0.1)


def test_weighting_by_the_inputs_loses_less_at_the_same_rank() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(32, 32)
    inputs = torch.randn(500, 32) * torch.logspace(0, -3, 32)
    model = nn.Sequential(layer)
    site = Site("0", layer, (1,), (1,))
    (aware,) = weighted([site], model, (inputs.numpy(),))
    errors = []
    for each in (site, aware):
        (way,) = options(each, "auto", seed=0)
        errors.append((outputs(way.build((8,)), inputs) - outputs(layer, inputs)).norm())
    assert errors[1] < 0.5 * errors[0]


@pytest.mark.parametrize("method", ["auto", "tucker2"])
def test_convolutions_weighted_by_their_inputs_still_compute_the_same_at_full_rank(
    method: Any,
) -> None:
    torch.manual_seed(0)
    layer, inputs = nn.Conv2d(6, 8, 3, padding=1), torch.randn(4, 6, 9, 9)
    inputs[:, 2] = 0  # a dead channel says nothing of its weights
    (aware,) = weighted([Site("0", layer, (9, 9), (9, 9))], nn.Sequential(layer), (inputs.numpy(),))
    factored = full_rank(options(aware, method, seed=0)[0])
    torch.testing.assert_close(outputs(factored, inputs), outputs(layer, inputs), atol=1e-5, rtol=0)


def test_pair_that_no_longer_saves_work_becomes_one_layer_again() -> None:
    torch.manual_seed(0)
    worth = Factored(nn.Linear(32, 4, bias=False), nn.Linear(4, 32))
    pruned = Factored(nn.Conv2d(8, 6, 1, bias=False), nn.Conv2d(6, 8, 1))
    model = nn.Sequential(pruned, nn.ReLU(), nn.Flatten(), nn.Linear(32, 32), worth)
    inputs = torch.randn(1, 8, 2, 2)
    before = outputs(model, inputs)
    assert fuse_back_where_dearer(model, (inputs,)) == ("0",)
    assert type(model[0]) is nn.Conv2d
    assert model[4] is worth
    torch.testing.assert_close(outputs(model, inputs), before)


def test_training_afterwards_wins_back_what_was_lost(tmp_path: Path) -> None:
    def layers() -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 32))

    def features(seed: int) -> Tensor:
        return torch.randn(256, 32, generator=torch.Generator().manual_seed(seed))

    def train_data() -> Any:
        return [(part, outputs(task.model, part)) for part in torch.split(features(0), 32)]

    def loss(ours: Tensor, wanted: Tensor) -> Tensor:
        return (ours - wanted).square().mean()

    task = make_task(layers, torch.ones(1, 32), train_data=train_data, loss=loss)
    wanted = outputs(task.model, features(1))
    errors = []
    for settings in ({"epochs": 0}, {"epochs": 10, "learning_rate": 1e-2}):
        model, sentence = factorized(task, tmp_path, ratio=0.5, **settings)
        errors.append(float(loss(outputs(model, features(1)), wanted)))
    assert errors[1] < 0.8 * errors[0]
    assert "trained for 10 epochs of 256 samples" in sentence
    assert "without distillation" in sentence


def test_no_training_data_is_refused_only_where_it_is_needed(tmp_path: Path) -> None:
    with pytest.raises(PassRejected, match=r"factorize needs train_data\(\), which task.py lacks"):
        factorized(make_task(), tmp_path, epochs=1)
    with pytest.raises(PassRejected, match="factorize needs calibration_data"):
        factorized(make_task(), tmp_path, data_aware=True)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"skip": ["none.*"]}, r"skip = 'none.\*' matches nothing; there are depthwise, first"),
        ({"skip": ["first", "second"]}, "factorize saves work in no layer: depthwise"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(
    settings: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(PassRejected, match=reason) as caught:
        factorized(make_task(), tmp_path, **settings)
    assert "\n" not in str(caught.value)


def test_forward_that_reads_a_layers_weights_is_refused(tmp_path: Path) -> None:
    class Reading(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(64, 64)

        def forward(self, features: Tensor) -> Tensor:
            result: Tensor = self.layer(features.to(self.layer.weight.dtype))
            return result

    with pytest.raises(PassRejected, match=r"reads more from its layers .* skip, of layer"):
        factorized(make_task(Reading, torch.ones(1, 64)), tmp_path)


def test_attention_that_reads_the_weights_in_it_is_left(tmp_path: Path) -> None:
    def encoder() -> nn.Module:
        layer = nn.TransformerEncoderLayer(32, 2, 128, batch_first=True)
        return nn.Sequential(layer, nn.Linear(32, 32))

    model, sentence = factorized(make_task(encoder, torch.randn(1, 4, 32)), tmp_path)
    assert "0.linear1, 0.linear2 (read by the attention around it)" in sentence
    assert isinstance(model[1], Factored)  # type: ignore[index]


def test_two_amounts_are_refused_and_one_is_always_set() -> None:
    config = load_pass("factorize").config
    with pytest.raises(ValueError, match="ratio and macs say the same in two ways"):
        config.model_validate({"ratio": 0.5, "macs": 0.5})
    assert config.model_validate({}).model_dump()["ratio"] == 0.5
    assert config.model_validate({"energy": 0.9}).model_dump()["ratio"] is None


def test_exported_file_agrees_and_the_model_can_be_pickled(tmp_path: Path) -> None:
    task = make_task(eval_data=lambda: [(images(32), torch.zeros(32))])
    step = PassStep("factorize", {"ratio": 0.5, "epochs": 0})
    plan = VariantPlan("small", ("onnx",), (step,))
    variants = build_variants(task, [plan], tmp_path)
    small = next(each for each in variants if each.name == "small")
    assert small.failure is None
    assert small.lineage[0].startswith("factorized 2 of 7 layers by ratio 0.5")
    shapes = [tuple(each.dims) for each in onnx.load(tmp_path / "small.onnx").graph.initializer]
    assert (32, 16, 3, 3) not in shapes
    model, _ = factorized(task, tmp_path, method="spatial-svd")
    torch.save(model, tmp_path / "model.pt")
    again = torch.load(tmp_path / "model.pt", weights_only=False)
    assert isinstance(again.first, Factored)
    torch.testing.assert_close(outputs(again, images(4)), outputs(model, images(4)))


def test_encoder_of_transformers_is_taken_with_its_tables(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    task = load_task(Path(__file__).with_name("tiny_encoder.py"), seed=0)
    model, _ = factorized(task, tmp_path, energy=0.5, embeddings=True)
    table = model.get_submodule("bert.bert.embeddings.word_embeddings")
    assert isinstance(table, Factored)
    small: Any = table[0]
    assert small.weight[0].abs().max() < 1e-6  # the padding's row
    assert isinstance(model.get_submodule("bert.bert.encoder.layer.0.intermediate.dense"), Factored)
    program = torch.export.export(model, task.example_inputs)
    torch.testing.assert_close(
        program.module()(*task.example_inputs), outputs(model, *task.example_inputs)
    )
