"""Pruning follows the layers: channels that do nothing are taken out and no output changes.

Each model below has channels whose making weights are zero, at places that its structure ties
together. One wrong position, and a channel that matters is gone.
"""

import copy
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from trimtab.compress.passes import ModelContext, PassRejected
from trimtab.compress.pipeline import apply_to_model, recipe_of
from trimtab.project import PassStep
from trimtab.task import Task

EVEN = range(0, 16, 2)
ODD = range(1, 16, 2)


def task_of(model: nn.Module, *inputs: Tensor) -> Task:
    functions = {"model": lambda: model, "example_inputs": lambda: inputs}
    return Task(Path("task.py"), functions, seed=0)


def pruned(model: nn.Module, *inputs: Tensor, **settings: Any) -> tuple[nn.Module, str]:
    task = task_of(model, *inputs)
    wanted = {"epochs": 0, "round_to": 1, "amount": 0.5, "importance": "l1", **settings}
    steps = recipe_of([PassStep("prune", wanted)], "onnx").on_model
    made, (sentence,) = apply_to_model(steps, task.model, ModelContext(task, Path()))
    return made, sentence


def idle(layer: nn.Module, channels: Iterable[int]) -> None:
    """Makes the layer give zeros in these channels."""
    with torch.no_grad():
        for name in ("weight", "bias"):
            parameter = getattr(layer, name)
            if parameter is not None:
                parameter[list(channels)] = 0


def same_outputs(model: nn.Module, smaller: nn.Module, *inputs: Tensor) -> None:
    with torch.no_grad():
        torch.testing.assert_close(smaller(*inputs), model(*inputs), atol=1e-5, rtol=1e-4)


def images(size: int = 8) -> Tensor:
    return torch.randn(3, 3, size, size)


def example(size: int = 8) -> Tensor:
    """Zeros, as users write them: they must not hide a difference."""
    return torch.zeros(1, 3, size, size)


def lively(model: nn.Module) -> nn.Module:
    """Batch norm with statistics as after training."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
            nn.init.uniform_(module.get_buffer("running_mean"), -0.2, 0.2)
            nn.init.uniform_(module.get_buffer("running_var"), 0.5, 1.5)
    return model.eval()


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


class Grouped(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 16, 3, padding=1)
        self.grouped = nn.Conv2d(16, 32, 3, padding=1, groups=4)
        self.up = nn.ConvTranspose2d(32, 16, 2, 2, groups=2)
        self.last = nn.Linear(16, 4)

    def forward(self, image: Tensor) -> Tensor:
        inner = torch.relu(self.grouped(torch.relu(self.first(image))))
        scores: Tensor = self.last(torch.relu(self.up(inner)).mean((2, 3)))
        return scores


def test_groups_of_a_convolution_lose_the_same_number() -> None:
    model = Grouped().eval()
    idle(model.first, [4 * group + place for group in range(4) for place in (0, 3)])
    idle(model.grouped, [8 * group + place for group in range(4) for place in (1, 2, 4, 7)])
    with torch.no_grad():
        model.up.weight[:, [2, 3, 5, 6]] = 0
        model.up.get_parameter("bias")[[2, 3, 5, 6, 10, 11, 13, 14]] = 0
    smaller, _ = pruned(model, example())
    assert isinstance(smaller, Grouped)
    sizes = [(e.in_channels, e.out_channels, e.groups) for e in (smaller.grouped, smaller.up)]
    assert sizes == [(8, 16, 4), (16, 8, 2)]
    same_outputs(model, smaller, images())


def test_groups_stay_alike_whatever_their_channels_are_worth() -> None:
    """The least of all stand in two of the four groups."""
    model = Grouped().eval()
    idle(model.grouped, range(16))
    smaller, _ = pruned(model, example())
    assert isinstance(smaller, Grouped)
    assert smaller.grouped.weight.shape == (16, 2, 3, 3)
    with torch.no_grad():
        assert smaller(images()).shape == (3, 4)


class MobileBlock(nn.Module):
    """As in MobileNetV3: depthwise, squeeze and excite, hardswish, a residual addition."""

    def __init__(self, depthwise_bias: bool) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 1)
        self.expand = nn.Conv2d(8, 16, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(16)
        self.depthwise = nn.Conv2d(16, 16, 3, padding=1, groups=16, bias=depthwise_bias)
        self.norm2 = nn.BatchNorm2d(16)
        self.squeeze = nn.Conv2d(16, 8, 1)
        self.excite = nn.Conv2d(8, 16, 1)
        self.project = nn.Conv2d(16, 8, 1)
        self.last = nn.Linear(8, 4)

    def forward(self, image: Tensor) -> Tensor:
        image = self.stem(image)
        inner = functional.hardswish(self.norm1(self.expand(image)))
        inner = functional.hardswish(self.norm2(self.depthwise(inner)))
        scale = torch.relu(self.squeeze(inner.mean((2, 3), keepdim=True)))
        inner = inner * functional.hardsigmoid(self.excite(scale))
        scores: Tensor = self.last((image + self.project(inner)).mean((2, 3)))
        return scores


@pytest.mark.parametrize("depthwise_bias", [False, True])
def test_depthwise_convolution_goes_with_what_surrounds_it(depthwise_bias: bool) -> None:
    model = lively(MobileBlock(depthwise_bias))
    assert isinstance(model, MobileBlock)
    for layer in (model.expand, model.norm1, model.depthwise, model.norm2, model.excite):
        idle(layer, ODD)
    idle(model.squeeze, [1, 2, 3, 6])
    smaller, _ = pruned(model, example(), keep=["stem"])
    assert isinstance(smaller, MobileBlock)
    depthwise = smaller.depthwise
    assert (depthwise.groups, depthwise.in_channels, depthwise.out_channels) == (8, 8, 8)
    assert smaller.norm1.num_features == smaller.excite.out_channels == 8
    assert (smaller.squeeze.out_channels, smaller.project.out_channels) == (4, 8)
    same_outputs(model, smaller, images())


class Shared(nn.Module):
    """Two convolutions of one weight, and a third layer that is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.one = nn.Conv2d(16, 16, 3, padding=1, bias=False)
        self.other = nn.Conv2d(16, 16, 3, padding=1, bias=False)
        self.other.weight = self.one.weight
        self.twice = nn.Conv2d(16, 16, 1)
        self.last = nn.Linear(16, 4)

    def forward(self, image: Tensor) -> Tensor:
        inner = torch.relu(self.other(torch.relu(self.one(torch.relu(self.stem(image))))))
        inner = torch.relu(self.twice(torch.relu(self.twice(inner))))
        scores: Tensor = self.last(inner.mean((2, 3)))
        return scores


def test_shared_weights_stay_shared() -> None:
    model = Shared().eval()
    for layer in (model.stem, model.one, model.twice):
        idle(layer, EVEN)
    smaller, _ = pruned(model, example())
    assert isinstance(smaller, Shared)
    assert smaller.other.weight is smaller.one.weight
    assert smaller.one.weight.shape == (8, 8, 3, 3)
    assert smaller.twice.weight.shape == (8, 8, 1, 1)
    same_outputs(model, smaller, images())


class Dense(nn.Module):
    """Concatenations of concatenations, and a linear layer behind a flattened image."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.second = nn.Conv2d(8, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(14)
        self.third = nn.Conv2d(14, 4, 3, padding=1)
        self.fourth = nn.Conv2d(18, 10, 3, padding=1)
        self.hidden = nn.Linear(160, 12)
        self.last = nn.Linear(12, 4)

    def forward(self, image: Tensor) -> Tensor:
        first = self.first(image)
        both = torch.cat((first, self.second(torch.relu(first))), 1)
        third = self.third(torch.relu(self.norm(both)))
        all_of_them = torch.cat((both, third), 1)
        inner = functional.adaptive_avg_pool2d(torch.relu(self.fourth(all_of_them)), 4)
        scores: Tensor = self.last(torch.relu(self.hidden(inner.flatten(1))))
        return scores


def test_concatenated_channels_are_found_at_their_places() -> None:
    model = lively(Dense())
    assert isinstance(model, Dense)
    idle(model.first, [0, 3, 4, 7])
    idle(model.second, [1, 2, 5])
    idle(model.norm, [0, 3, 4, 7, 9, 10, 13])
    with torch.no_grad():
        model.norm.get_buffer("running_mean")[[0, 3, 4, 7, 9, 10, 13]] = 0
    idle(model.third, [0, 2])
    idle(model.fourth, [1, 3, 5, 7, 9])
    idle(model.hidden, [0, 1, 2, 9, 10, 11])
    smaller, _ = pruned(model, example())
    assert isinstance(smaller, Dense)
    assert (smaller.norm.num_features, smaller.fourth.in_channels) == (7, 9)
    assert (smaller.hidden.in_features, smaller.hidden.out_features) == (80, 6)
    same_outputs(model, smaller, images())


class PaddedShortcut(nn.Module):
    """ResNet's option A: the wider stage's new channels are zeros before and behind the old."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.inner = nn.Conv2d(16, 16, 3, 2, padding=1)
        self.outer = nn.Conv2d(16, 32, 3, padding=1)
        self.last = nn.Linear(32, 4)

    def forward(self, image: Tensor) -> Tensor:
        image = torch.relu(self.stem(image))
        branch = self.outer(torch.relu(self.inner(image)))
        shortcut = functional.pad(image[:, :, ::2, ::2], (0, 0, 0, 0, 8, 8))
        scores: Tensor = self.last(torch.relu(branch + shortcut).mean((2, 3)))
        return scores


def test_channels_behind_a_zero_padding_are_followed() -> None:
    model = PaddedShortcut().eval()
    idle(model.stem, ODD)
    idle(model.outer, [8 + channel for channel in ODD])
    idle(model.inner, EVEN)
    smaller, _ = pruned(model, example())
    assert isinstance(smaller, PaddedShortcut)
    widths = (smaller.stem.out_channels, smaller.inner.out_channels, smaller.outer.out_channels)
    assert widths == (8, 8, 24)
    assert not [name for name, _ in smaller.named_children() if "padding" in name]
    same_outputs(model, smaller, images())


class EvalOnly(nn.Module):
    """No batch norm, weights that are frozen, and a forward that refuses training mode."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.rand(16, 1, 1))
        self.first = nn.Conv2d(3, 16, 3)
        self.bend = nn.PReLU(16)
        self.last = nn.Conv2d(16, 4, 1)
        self.requires_grad_(False)

    def forward(self, image: Tensor) -> Tensor:
        if self.training:
            raise RuntimeError("inference only")
        scores: Tensor = self.last(self.bend(self.first(image) * self.scale)).mean((2, 3))
        return scores


def test_model_that_only_runs_in_eval_mode() -> None:
    model = EvalOnly().eval()
    idle(model.first, EVEN)
    smaller, sentence = pruned(model, example())
    assert isinstance(smaller, EvalOnly)
    assert smaller.scale.shape == (8, 1, 1)
    assert smaller.bend.num_parameters == 8
    assert not any(each.requires_grad for each in smaller.parameters())
    assert "last (its channels are the model's output)" in sentence
    same_outputs(model, smaller, images())
    with pytest.raises(PassRejected, match="no weights that can be trained; set epochs = 0"):
        prune_with_data(model)


def prune_with_data(model: nn.Module) -> None:
    task = Task(
        Path("task.py"),
        {"model": lambda: model, "example_inputs": example, "train_data": lambda: []},
        seed=0,
    )
    steps = recipe_of([PassStep("prune", {"epochs": 1})], "onnx").on_model
    apply_to_model(steps, task.model, ModelContext(task, Path()))


class Keywords(nn.Module):
    """Hands a transformers model what it takes by keywords; gives a mapping of outputs."""

    def __init__(self) -> None:
        super().__init__()
        from transformers import BertConfig, BertForSequenceClassification

        config: Any = BertConfig(
            vocab_size=50,
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=24,
            max_position_embeddings=16,
        )
        self.bert: Any = BertForSequenceClassification(config)
        self.bert.set_attn_implementation("eager")

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Any:
        return self.bert(input_ids=input_ids, attention_mask=attention_mask)


@pytest.fixture
def encoder() -> tuple[Keywords, Tensor, Tensor]:
    model = Keywords().eval()
    for layer in model.bert.bert.encoder.layer:
        for each in (layer.attention.self.value, layer.attention.self.query):
            nn.init.normal_(each.bias)
            idle(each, [*range(8), *range(16, 24)])
        nn.init.normal_(layer.intermediate.dense.bias)
        idle(layer.intermediate.dense, range(0, 24, 2))
        with torch.no_grad():  # gelu(0) is 0
            layer.intermediate.dense.bias[::2] = 0
    return model, torch.randint(0, 50, (1, 9)), torch.ones(1, 9, dtype=torch.long)


def layer_of(model: nn.Module, index: int) -> Any:
    assert isinstance(model, Keywords)
    return model.bert.bert.encoder.layer[index]


def logits(model: nn.Module, tokens: Tensor, mask: Tensor) -> Tensor:
    with torch.no_grad():
        result: Tensor = model(tokens, mask).logits
    return result


def test_attention_heads_of_a_model_called_by_keywords(
    encoder: tuple[Keywords, Tensor, Tensor],
) -> None:
    model, tokens, mask = encoder
    smaller, sentence = pruned(model, tokens, mask, structure="head", round_to=8)
    attention = layer_of(smaller, 1).attention
    assert (attention.self.num_attention_heads, attention.self.all_head_size) == (2, 16)
    assert attention.output.dense.in_features == 16
    assert "50% of the attention heads removed by l1" in sentence
    torch.testing.assert_close(logits(smaller, tokens, mask), logits(model, tokens, mask))


def test_neurons_of_an_encoder_and_nothing_of_its_embeddings(
    encoder: tuple[Keywords, Tensor, Tensor],
) -> None:
    model, tokens, mask = encoder
    smaller, sentence = pruned(model, tokens, mask, structure="neuron", keep=["*.pooler"])
    layer = layer_of(smaller, 0)
    assert layer.intermediate.dense.out_features == layer.output.dense.in_features == 12
    assert layer.attention.self.query.out_features == 32
    assert "LayerNorm normalizes over its channels" in sentence
    torch.testing.assert_close(logits(smaller, tokens, mask), logits(model, tokens, mask))


def test_all_takes_heads_and_channels(encoder: tuple[Keywords, Tensor, Tensor]) -> None:
    model, tokens, mask = encoder
    smaller, _ = pruned(model, tokens, mask, structure="all", keep=["bert.bert.pooler"])
    layer = layer_of(smaller, 0)
    assert (layer.attention.self.num_attention_heads, layer.output.dense.in_features) == (2, 12)
    torch.testing.assert_close(logits(smaller, tokens, mask), logits(model, tokens, mask))


class TorchEncoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True)
        self.last = nn.Linear(16, 4)

    def forward(self, tokens: Tensor) -> Tensor:
        scores: Tensor = self.last(self.encoder(tokens).mean(1))
        return scores


def test_heads_of_torchs_own_attention_are_refused_by_its_name() -> None:
    wanted = r"no attention heads can be removed.*: encoder\.self_attn: torch.nn.MultiheadAttention"
    with pytest.raises(PassRejected, match=wanted):
        pruned(TorchEncoder(), torch.randn(1, 5, 16), structure="head")


def test_neurons_beside_torchs_own_attention() -> None:
    model, tokens = TorchEncoder().eval(), torch.randn(2, 5, 16)
    idle(model.encoder.linear1, range(0, 32, 2))
    smaller, _ = pruned(model, torch.zeros(1, 5, 16))
    assert isinstance(smaller, TorchEncoder)
    assert smaller.encoder.linear1.out_features == 16
    same_outputs(model, smaller, tokens)


class Shuffled(nn.Module):
    """A channel shuffle with its numbers written down: nothing before it can shrink."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 16, 1)
        self.last = nn.Conv2d(16, 4, 1)

    def forward(self, image: Tensor) -> Tensor:
        inner = self.first(image).view(-1, 2, 8, 8, 8).transpose(1, 2).reshape(-1, 16, 8, 8)
        scores: Tensor = self.last(torch.relu(inner)).mean((2, 3))
        return scores


class Flipped(nn.Module):
    """Channels turned round, which nothing tells the graph: it would take the wrong ones."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 16, 1)
        self.last = nn.Conv2d(16, 4, 1)

    def forward(self, image: Tensor) -> Tensor:
        scores: Tensor = self.last(self.first(image).flip(1)).mean((2, 3))
        return scores


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (Shuffled, "first: the model does not run with fewer: RuntimeError: shape"),
        (Flipped, "first: what is left would not compute the same"),
    ],
)
def test_what_cannot_be_followed_is_refused_by_the_layers_name(
    model: type[nn.Module], reason: str
) -> None:
    with pytest.raises(PassRejected, match=reason) as caught:
        pruned(model(), example())
    assert "\n" not in str(caught.value)
    assert "last: its channels are the model's output" in str(caught.value)


def test_pruned_model_is_a_plain_one() -> None:
    """Copied, pickled and exported like any other; nothing of the tracing is left."""
    model = lively(MobileBlock(depthwise_bias=True))
    smaller, _ = pruned(model, example())
    for module in smaller.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
    saved = io.BytesIO()
    torch.save(copy.deepcopy(smaller), saved)
    saved.seek(0)
    loaded = torch.load(saved, weights_only=False)
    program = torch.export.export(loaded, (example(),))
    same_outputs(smaller, program.module(), images()[:1])
    assert model.expand.out_channels == 16  # type: ignore[union-attr]
