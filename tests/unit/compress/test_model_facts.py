"""Parameters, multiply-accumulates and zeros, against numbers worked out by hand."""

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from trimtab.compress.model_facts import model_facts
from trimtab.compress.passes import ModelContext
from trimtab.compress.pipeline import apply_to_model, recipe_of
from trimtab.export.file_weights import file_facts
from trimtab.export.stages import Stages
from trimtab.project import PassStep
from trimtab.records import ModelFacts
from trimtab.task import Task


def facts_of(model: nn.Module, *inputs: Tensor) -> ModelFacts:
    return model_facts(model.eval(), inputs)


@pytest.fixture
def small(tiny_task: Callable[..., Task]) -> Task:
    data = (
        "def train_data():\n    torch.manual_seed(0)\n"
        "    yield torch.randn(64, 8), torch.arange(64) % 16\n"
    )
    return tiny_task(data, "nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 16)")


@pytest.mark.parametrize(
    ("layer", "shape", "macs"),
    [
        # out channels x in channels of a group x kernel x output places
        (nn.Conv2d(8, 16, 3, stride=2, padding=1, groups=4), (8, 9, 9), 16 * 2 * 9 * 5 * 5),
        (nn.Conv2d(8, 8, 3, padding=1, groups=8), (8, 9, 9), 8 * 1 * 9 * 9 * 9),
        (nn.Conv2d(4, 6, (1, 5)), (4, 7, 9), 6 * 4 * 5 * 7 * 5),
        (nn.Conv1d(4, 6, 3, dilation=2), (4, 10), 6 * 4 * 3 * 6),
        (nn.ConvTranspose2d(4, 6, 3, stride=2), (4, 5, 5), 4 * 6 * 9 * 5 * 5),
        (nn.Linear(7, 5), (3, 7), 3 * 7 * 5),
        (nn.LSTM(4, 5, batch_first=True), (6, 4), 6 * 4 * 5 * (4 + 5)),
        (nn.GRU(4, 5, batch_first=True), (6, 4), 6 * 3 * 5 * (4 + 5)),
    ],
)
def test_macs_are_those_worked_out_by_hand(
    layer: nn.Module, shape: tuple[int, ...], macs: int
) -> None:
    assert facts_of(layer, torch.zeros(1, *shape)).macs == macs


def test_products_inside_attention_are_counted() -> None:
    width, tokens, inner = 16, 6, 32
    layer = nn.TransformerEncoderLayer(width, 4, inner, batch_first=True)
    projections = 4 * tokens * width * width
    attention = 2 * tokens * tokens * width
    feed_forward = 2 * tokens * width * inner
    found = facts_of(layer, torch.zeros(1, tokens, width))
    assert found.macs == projections + attention + feed_forward
    assert torch.backends.mha.get_fastpath_enabled()


def test_macs_that_would_be_counted_short_are_unknown() -> None:
    found = model_facts(nn.Bilinear(3, 4, 5), (torch.zeros(1, 3), torch.zeros(1, 4)))
    assert found.macs is None
    assert found.unknown == {"macs": "torch's counter does not know aten::_trilinear"}
    assert found.parameters == 5 * 3 * 4 + 5


def test_products_of_vectors_are_counted() -> None:
    class Vectors(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.ones(3, 4) @ x[0] + x[0] @ x[0]

    assert facts_of(Vectors(), torch.zeros(1, 4)).macs == 3 * 4 + 4


def test_a_model_that_fails_has_no_macs_and_says_so() -> None:
    found = facts_of(nn.Linear(7, 5), torch.zeros(1, 8))
    assert found.macs is None
    assert "does not run under torch's counter: RuntimeError" in found.unknown["macs"]


def test_shared_weights_count_once_and_their_work_twice() -> None:
    shared, alike = nn.Linear(8, 8), nn.Linear(8, 8, bias=False)
    alike.weight.data = shared.weight.data  # another parameter of the same memory
    found = facts_of(nn.Sequential(shared, shared, alike), torch.zeros(1, 8))
    assert found.parameters == 8 * 8 + 8
    assert found.macs == 3 * 8 * 8


def test_sparsity_is_the_share_of_all_parameters() -> None:
    layer = nn.Linear(8, 4)
    with torch.no_grad():
        layer.weight[:, ::2] = 0
    assert facts_of(layer, torch.zeros(1, 8)).sparsity == pytest.approx(16 / 36)
    bare = facts_of(nn.ReLU(), torch.zeros(1, 8))
    assert (bare.parameters, bare.macs, bare.sparsity) == (0, 0, None)
    assert bare.unknown == {"sparsity": "the model has no parameters"}


def test_nothing_is_warned_of_and_nothing_is_changed() -> None:
    model = nn.Sequential(nn.Linear(8, 4), nn.BatchNorm1d(4)).eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        facts_of(model, torch.ones(1, 8))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.slow
def test_a_quantized_model_has_the_facts_of_the_float_one_and_its_own_zeros(
    small: Task, tmp_path: Path
) -> None:
    steps = recipe_of([PassStep("qat", {"epochs": 1})], "onnx").on_model
    quantized, _ = apply_to_model(steps, small.model, ModelContext(small, tmp_path))
    was = model_facts(small.model, small.example_inputs)
    found = model_facts(quantized, small.example_inputs)
    assert (found.parameters, found.macs) == (was.parameters, was.macs)
    assert found.sparsity is not None
    assert 0 < found.sparsity < 0.05  # weights that int8 rounds to zero


@pytest.mark.slow
@pytest.mark.parametrize("model_format", ["onnx", "tflite"])
def test_a_file_holds_the_weights_of_its_model_whatever_the_scheme(
    small: Task, tmp_path: Path, model_format: str
) -> None:
    stages = Stages(small, tmp_path / "cache")
    was = model_facts(small.model, small.example_inputs)
    shares = []
    for scheme in ("", "dynamic", "static", "weight-int4"):
        target, scratch = tmp_path / f"{scheme}.{model_format}", tmp_path / f"scratch-{scheme}"
        scratch.mkdir()
        steps = [PassStep("quantize", {"scheme": scheme})] if scheme else []
        made = stages.make(steps, model_format, target, scratch)
        found = file_facts(target, model_format)
        assert found.parameters == was.parameters, scheme
        assert found.sparsity is not None
        assert made.origin is not None
        assert made.origin.facts is not None
        assert made.origin.facts.macs == was.macs
        assert made.origin.facts.sparsity == found.sparsity
        shares.append(found.sparsity)
    assert shares[0] == 0
    assert all(0 < share < 0.03 for share in shares[1:3])  # rounded to zero by int8
    assert 0.05 < shares[3] < 0.25  # and by int4
