"""Layers that learn from the teacher's layers: hints, attention, relations."""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from trimtab.compress.passes import ModelContext, PassRejected
from trimtab.compress.passes.distillation.features import Features, matched_features
from trimtab.compress.passes.distillation.layer_names import layer_pairs
from trimtab.compress.passes.distillation.matching import (
    AttentionProbabilities,
    Relations,
    SpatialAttention,
)
from trimtab.compress.passes.distillation.settings import DistillConfig
from trimtab.compress.pipeline import apply_to_model, recipe_of
from trimtab.project import PassStep
from trimtab.task import Task

IMAGES = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def network(width: int, stride: int = 1) -> nn.Sequential:
    torch.manual_seed(width)
    return nn.Sequential(
        nn.Conv2d(1, width, 3, stride, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(width, 3),
    )


class Attending(nn.Module):
    """As transformers' eager attention: the output, and beside it the probabilities."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.num_attention_heads = heads
        self.attention_head_size = width // heads

    def forward(self, inner: Tensor) -> tuple[Tensor, Tensor]:
        query, key, value = (
            part(inner).unflatten(2, (-1, self.attention_head_size)).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        alike = (query @ key.transpose(2, 3) / self.attention_head_size**0.5).softmax(-1)
        return (alike @ value).transpose(1, 2).flatten(2), alike


class Reader(nn.Module):
    def __init__(self, width: int = 32, heads: int = 4) -> None:
        super().__init__()
        self.words = nn.Embedding(20, width)
        self.attention = Attending(width, heads)
        self.output = nn.Linear(width, width)
        self.last = nn.Linear(width, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        inner = self.words(tokens)
        inner = inner + self.output(self.attention(inner)[0])
        scores: Tensor = self.last(inner.mean(1))
        return scores


TOKENS = torch.arange(24).reshape(4, 6) % 20


def reader_task(**functions: Callable[..., Any]) -> Task:
    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for _ in range(8):
            tokens = torch.randint(0, 20, (16, 6))
            yield tokens, tokens[:, 0] % 3

    given: dict[str, Callable[..., Any]] = {
        "model": Reader,
        "example_inputs": lambda: TOKENS[:1],
        "train_data": batches,
        **functions,
    }
    return Task(Path("task.py"), given, 0)


def distilled(task: Task, tmp_path: Path, **settings: Any) -> tuple[nn.Module, str]:
    steps = recipe_of([PassStep("distill", {"epochs": 1, **settings})], "onnx").on_model
    made, (sentence,) = apply_to_model(steps, task.model, ModelContext(task, tmp_path))
    return made, sentence


def config(**settings: Any) -> DistillConfig:
    return DistillConfig.model_validate({"features": ["0"], **settings})


def closer(teacher: nn.Module, student: nn.Module, settings: DistillConfig) -> tuple[float, float]:
    """The features' distance before and after forty steps that look at nothing else."""
    teacher, student = teacher.eval(), student.eval()
    with matched_features(settings, teacher, student, (IMAGES,)) as features:
        optimizer = torch.optim.Adam(student.parameters(), 0.02)
        first = _step(features, teacher, student, optimizer)
        for _ in range(40):
            last = _step(features, teacher, student, optimizer)
    return first, last


def _step(features: Features, teacher: nn.Module, student: nn.Module, optimizer: Any) -> float:
    with torch.no_grad():
        teacher(IMAGES)
    student(IMAGES)
    distance = features.distance()
    optimizer.zero_grad()
    torch.autograd.backward(distance)
    optimizer.step()
    return float(distance.detach())


@pytest.mark.parametrize("match", ["hint", "attention"])
@pytest.mark.parametrize("stride", [1, 2])
def test_student_of_another_width_and_size_comes_nearer(match: str, stride: int) -> None:
    teacher, student = network(16), network(4, stride)
    before, after = closer(teacher, student, config(match=match))
    assert after < 0.7 * before


def test_projection_is_learned_and_gone_afterwards_as_are_the_hooks() -> None:
    teacher, student = network(16).eval(), network(4).eval()
    names = list(student.state_dict())
    with matched_features(config(), teacher, student, (IMAGES,)) as features:
        assert features.projected == 1
        inside = dict(student.named_parameters())
        (projection,) = (inside[name] for name in set(inside) - set(names) if "weight" in name)
        assert projection.shape == (16, 4)
        start = projection.detach().clone()
        copied = copy.deepcopy(student)  # as training does to keep its best weights
        copied(IMAGES)
        _step(features, teacher, student, torch.optim.Adam(student.parameters(), 0.02))
        assert not torch.equal(projection, start)
    assert list(student.state_dict()) == names
    for model in (teacher, student):
        for layer in model.modules():
            assert not layer._forward_hooks
            assert not layer._forward_pre_hooks


def test_hooks_are_removed_when_training_fails(tmp_path: Path) -> None:
    task = reader_task(loss=lambda outputs, targets: outputs.sum() * float("nan"))
    model = copy.deepcopy(task.model)
    steps = recipe_of([PassStep("distill", {"features": ["words"], "epochs": 1})], "onnx").on_model
    with pytest.raises(PassRejected, match="the loss is nan"):
        steps[0].work.apply(model, steps[0].config, ModelContext(task, tmp_path))
    assert not any(each._forward_hooks for each in (*model.modules(), *task.model.modules()))


def test_tasks_own_training_learns_from_layers_too(tmp_path: Path) -> None:
    seen: list[float] = []

    def fit(model: nn.Sequential, loss: Any, epochs: int, learning_rate: float) -> float:
        optimizer = torch.optim.Adam(model.parameters(), 0.02)
        for _ in range(20):
            value = loss((IMAGES,), model(IMAGES), torch.zeros(4, dtype=torch.long))
            optimizer.zero_grad()
            torch.autograd.backward(value)
            optimizer.step()
            seen.append(float(value.detach()))
        return seen[-1]

    task = reader_task(
        model=lambda: network(16),
        student=lambda: network(4),
        example_inputs=lambda: IMAGES[:1],
        train_data=lambda: [(IMAGES, torch.zeros(4, dtype=torch.long))],
        fit=fit,
    )
    made, sentence = distilled(task, tmp_path, student="own", features=["0"], weight=1.0)
    assert seen[-1] < 0.8 * seen[0]
    assert list(made.state_dict()) == list(network(4).state_dict())
    assert f"final loss {seen[-1]:.4g}" in sentence


def test_layers_of_one_width_need_no_projection() -> None:
    with matched_features(config(), network(4), network(4), (IMAGES,)) as features:
        assert features.projected == 0


def test_layer_under_two_names_gives_each_name_its_own_call() -> None:
    def twice(shared: bool) -> nn.Sequential:
        first = nn.Linear(4, 4)
        return nn.Sequential(first, nn.Tanh(), first if shared else nn.Linear(4, 4))

    torch.manual_seed(0)
    teacher, student, inputs = twice(False), twice(True), torch.randn(3, 4)
    with matched_features(config(features=["0", "2"]), teacher, student, (inputs,)) as features:
        wanted, ours = teacher(inputs), student(inputs)
        inner = [(teacher[0](inputs), student[0](inputs)), (wanted, ours)]
        # Those two calls were recorded too: the models run once more.
        teacher(inputs), student(inputs)
        by_hand = [((its - mine) ** 2).mean() / (its**2).mean() for its, mine in inner]
        assert torch.allclose(features.distance(), sum(by_hand) / torch.tensor(2.0))


def test_patterns_and_pairs_name_layers_of_both_models() -> None:
    teacher = nn.ModuleDict({name: nn.Linear(2, 2) for name in ("a1", "a2", "b")})
    student = nn.ModuleDict({name: nn.Linear(2, 2) for name in ("a1", "c1", "c2")})

    def named(*wanted: str) -> list[str]:
        return [str(each) for each in layer_pairs(wanted, teacher, student)]

    assert named("a*") == ["a1"]
    assert named("a*:c*", "b:a1") == ["a1:c1", "a2:c2", "b:a1"]
    for wrong, told in {
        "a3": r"the model has no layer a3; near it: a1",
        "b": r"the student has no layer b; near it: a1, c1, c2",
        "a*:a*": r"a\*:a\* names 2 layers of the teacher and 1 of the student",
        "b:d*": r"the student has no layer d\*",
    }.items():
        with pytest.raises(PassRejected, match=told):
            named(wrong)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"features": ["0:4"]}, r"layer 0:4: shapes \(4, 16, 8, 8\) and \(4, 3\) do not match"),
        ({"features": ["4"], "match": "attention"}, r"layer 4: match = \"attention\" takes conv"),
        ({"match": "relations"}, r"layer 0: match = \"relations\" takes features \[batch, pos"),
    ],
)
def test_features_that_cannot_be_matched_are_refused_by_name(
    settings: dict[str, Any], reason: str
) -> None:
    student = network(4)
    names = list(student.state_dict())
    refused = pytest.raises(PassRejected, match=reason)
    with refused, matched_features(config(**settings), network(16), student, (IMAGES,)):
        pass
    assert list(student.state_dict()) == names


def test_spatial_attention_is_where_the_squares_are() -> None:
    ours, theirs = torch.zeros(1, 2, 2, 2), torch.zeros(1, 5, 2, 2)
    ours[0, 1, 0, 0], theirs[0, :, 0, 0] = -3.0, 1.0
    assert float(SpatialAttention().distance(ours, theirs)) == pytest.approx(0, abs=1e-6)
    elsewhere = ours.flip(3)
    assert float(SpatialAttention().distance(elsewhere, theirs)) == pytest.approx(2)


def test_attention_of_other_heads_is_averaged() -> None:
    two = torch.tensor([[[[1.0, 0.0]], [[0.0, 1.0]]]])
    one = torch.tensor([[[[0.5, 0.5]]]])
    assert float(AttentionProbabilities().distance(one, two)) == pytest.approx(0, abs=1e-6)
    assert float(AttentionProbabilities().distance(two, two.flip(1))) > 1


def test_relations_do_not_see_width_and_need_heads_that_divide_it() -> None:
    features = torch.randn(2, 5, 8)
    padded = torch.cat((features, torch.zeros(2, 5, 8)), 2) * 2**0.25  # half as many a head: √d
    assert float(Relations(1).distance(padded, features)) == pytest.approx(0, abs=1e-5)
    assert Relations(3).problem((2, 5, 9), (2, 5, 8)) == (
        "relation_heads = 3 does not divide the width 8"
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"features": ["attention"], "match": "attention"},
        {"features": ["attention.*"], "match": "relations", "relation_heads": 2},
        {"features": ["words", "output"], "match": "hint"},
    ],
)
def test_narrow_transformer_has_fewer_heads_and_learns_from_layers(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    made, sentence = distilled(reader_task(), tmp_path, student="narrow", **settings)
    attention: Any = made.get_submodule("attention")
    assert (attention.num_attention_heads, attention.attention_head_size) == (2, 8)
    assert made.get_parameter("words.weight").shape == (20, 16)
    assert f"{settings['match']} of" in sentence
    assert made(TOKENS).shape == (4, 3)


@pytest.mark.slow
def test_narrow_bert_of_transformers_begins_anew_as_that_library_does(tmp_path: Path) -> None:
    from transformers import BertConfig, BertModel

    settings: Any = {"vocab_size": 20, "hidden_size": 32, "intermediate_size": 64}
    made_of: Any = BertConfig(num_hidden_layers=1, num_attention_heads=4, **settings)

    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bert = BertModel(made_of, add_pooling_layer=False)
            self.bert.set_attn_implementation("eager")
            self.last = nn.Linear(32, 3)

        def forward(self, tokens: Tensor) -> Tensor:
            scores: Tensor = self.last(self.bert(input_ids=tokens).last_hidden_state[:, 0])
            return scores

    task = reader_task(model=Classifier)
    narrow: dict[str, Any] = {"student": "narrow", "start": "fresh"}
    fresh, _ = distilled(task, tmp_path, **narrow, epochs=0)
    words = fresh.get_parameter("bert.embeddings.word_embeddings.weight").detach()
    assert words.shape == (20, 16)
    assert 0.01 < float(words.std()) < 0.03  # torch's own would have 1
    _, sentence = distilled(
        task, tmp_path, **narrow, features=["bert.encoder.layer.*.self"], match="attention"
    )
    assert "attention of 1 layers" in sentence
