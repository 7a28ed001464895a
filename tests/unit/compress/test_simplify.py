"""A model made simpler: exactly, or by whole blocks that change little."""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from trimtab.compress.passes import ModelContext, PassRejected, load_pass
from trimtab.compress.passes.factorization.factored import Factored
from trimtab.compress.pipeline import apply_to_model, recipe_of
from trimtab.export import build_variants
from trimtab.project import PassStep, VariantPlan
from trimtab.task import Task, load_task


class Block(nn.Module):
    """Residual, or not; ``strength``: of what it adds to its input."""

    def __init__(self, strength: float, residual: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.residual = residual
        with torch.no_grad():
            self.conv.weight.mul_(strength)
            self.norm.running_mean.normal_(0, 0.1)  # type: ignore[union-attr]
            self.norm.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]

    def forward(self, image: Tensor) -> Tensor:
        inner = self.norm(self.conv(image))
        return torch.relu(inner + image if self.residual else inner)


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Sequential(
            OrderedDict(
                conv=nn.Conv2d(3, 8, 3), nothing=nn.Identity(), norm=nn.BatchNorm2d(8), on=nn.ReLU()
            )
        )
        self.blocks = nn.Sequential(Block(1.0), Block(0.01), Block(2.0), Block(1.0, residual=False))
        self.head = nn.Sequential(
            nn.Linear(8, 16), nn.Dropout(0.5), nn.Identity(), nn.Linear(16, 6), nn.ReLU()
        )

    def forward(self, image: Tensor) -> Tensor:
        scores: Tensor = self.head(self.blocks(self.stem(image)).mean((2, 3)))
        return scores


def images(count: int) -> Tensor:
    return torch.randn(count, 3, 10, 10, generator=torch.Generator().manual_seed(1))


def make_task(
    model: Callable[[], nn.Module] = Network, example: Any = None, **functions: Callable[..., Any]
) -> Task:
    needed = {"model": model, "example_inputs": lambda: images(1) if example is None else example}
    return Task(Path("task.py"), {**needed, **functions}, seed=0)


def calibrated(**functions: Callable[..., Any]) -> Task:
    return make_task(calibration_data=lambda: torch.split(images(96), 32), **functions)


def simplified(task: Task, tmp_path: Path, **settings: Any) -> tuple[Any, str]:
    (step,) = recipe_of([PassStep("simplify", settings)], "onnx").on_model
    model, (sentence,) = apply_to_model([step], task.model, ModelContext(task, tmp_path))
    return model, sentence


def outputs(model: nn.Module, *inputs: Tensor) -> Tensor:
    with torch.no_grad():
        result: Tensor = model.eval()(*inputs)
    return result


def kinds(model: nn.Module) -> list[str]:
    return [type(each).__name__ for each in model.modules()]


def test_cleaning_up_changes_no_output_and_keeps_what_training_needs(tmp_path: Path) -> None:
    task = make_task()
    model, sentence = simplified(task, tmp_path)
    torch.testing.assert_close(outputs(model, images(8)), outputs(task.model, images(8)))
    assert "Identity" not in kinds(model)
    assert kinds(model).count("BatchNorm2d") == 5
    assert kinds(model).count("Dropout") == 1
    assert "taken out without effect: stem.nothing, head.2;" in sentence
    assert "not trained afterwards" in sentence


def test_batch_norm_dropout_and_linear_layers_go_if_asked_for(tmp_path: Path) -> None:
    task = make_task()
    model, sentence = simplified(task, tmp_path, batch_norm=True, dropout=True)
    torch.testing.assert_close(
        outputs(model, images(8)), outputs(task.model, images(8)), atol=1e-5, rtol=1e-4
    )
    assert not {"BatchNorm2d", "Dropout"} & set(kinds(model))
    assert (model.head[0].in_features, model.head[0].out_features) == (8, 6)
    assert (
        "batch norm folded: stem.norm, blocks.0.norm, blocks.1.norm, blocks.2.norm and 1 more"
        in sentence
    )
    assert "linear layers merged: head.0 and 3;" in sentence
    assert all(each.requires_grad for each in model.parameters())


def test_batch_norm_whose_input_is_read_elsewhere_is_left(tmp_path: Path) -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 1)
            self.norm = nn.BatchNorm2d(4)
            nn.init.uniform_(self.norm.weight, 2, 3)

        def forward(self, image: Tensor) -> Tensor:
            inner = self.conv(image)
            result: Tensor = inner + self.norm(inner)
            return result

    task = make_task(Twice)
    model, sentence = simplified(task, tmp_path, batch_norm=True)
    assert type(model.norm) is nn.BatchNorm2d
    assert "batch norm left, since the layer before it is read elsewhere too: norm;" in sentence
    torch.testing.assert_close(outputs(model, images(4)), outputs(task.model, images(4)))


def test_factorized_layer_that_saves_nothing_is_fused_back(tmp_path: Path) -> None:
    def model() -> nn.Module:
        torch.manual_seed(0)
        pair = Factored(nn.Conv2d(3, 6, (3, 1), bias=False), nn.Conv2d(6, 4, (1, 3)))
        worth = Factored(nn.Conv2d(4, 1, 1, bias=False), nn.Conv2d(1, 4, 1))
        return nn.Sequential(pair, nn.ReLU(), worth)

    task = make_task(model)
    simple, sentence = simplified(task, tmp_path)
    assert [type(each) for each in simple] == [nn.Conv2d, nn.ReLU, Factored]
    assert simple[0].kernel_size == (3, 3)
    assert "factorized layers fused back: 0;" in sentence
    torch.testing.assert_close(outputs(simple, images(4)), outputs(task.model, images(4)))


def test_block_that_changes_its_input_least_goes_first(tmp_path: Path) -> None:
    task = calibrated()
    model, sentence = simplified(task, tmp_path, drop_blocks=1)
    assert len(model.blocks) == 3
    assert "1 of 3 residual blocks taken out (blocks.1, similarity 0.9" in sentence
    assert "96 samples of calibration_data()" in sentence
    without = task.model
    assert isinstance(without, Network)
    by_hand = without.stem(images(8))
    for index in (0, 2, 3):
        by_hand = without.blocks[index](by_hand)
    torch.testing.assert_close(
        outputs(model, images(8)), without.head(by_hand.mean((2, 3))).detach()
    )


def test_share_is_of_the_blocks_that_can_go(tmp_path: Path) -> None:
    model, sentence = simplified(calibrated(), tmp_path, drop_share=0.7)
    assert len(model.blocks) == 2
    assert not model.blocks[1].residual
    assert "2 of 3 residual blocks taken out (blocks.1," in sentence
    same, sentence = simplified(calibrated(), tmp_path, drop_share=0.2)
    assert len(same.blocks) == 4
    assert "no block taken out: drop_share 0.2 of 3 is less than 1" in sentence


def test_kept_blocks_stay_whatever_their_numbers_become(tmp_path: Path) -> None:
    model, sentence = simplified(calibrated(), tmp_path, drop_blocks=2, keep=["blocks.1"])
    assert float(model.blocks[0].conv.weight.detach().abs().max()) < 0.01
    assert "(blocks.0, " in sentence
    assert "; blocks.2, " in sentence


def test_training_afterwards_is_told(tmp_path: Path) -> None:
    def train_data() -> Any:
        return [(images(32), torch.arange(32) % 6)]

    task = calibrated(train_data=train_data)
    model, sentence = simplified(task, tmp_path, drop_blocks=1, epochs=1, distill=True)
    assert sentence.endswith(
        "distilled from the float model (share 0.5 of the loss, temperature 4)"
    )
    plain, _ = simplified(task, tmp_path, drop_blocks=1)
    assert not torch.equal(outputs(model, images(4)), outputs(plain, images(4)))


class Counting(nn.Module):
    """Reads its blocks by number."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([Block(1.0), Block(1.0)])
        self.stem = nn.Conv2d(3, 8, 1)

    def forward(self, image: Tensor) -> Tensor:
        result: Tensor = self.blocks[1](self.blocks[0](self.stem(image)))
        return result


class ByNumber(nn.Module):
    """Takes the layers of a row one by one."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.row = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Identity(), nn.ReLU(), nn.Sigmoid())

    def forward(self, image: Tensor) -> Tensor:
        result: Tensor = self.row[2](self.row[0](image))
        return result


@pytest.mark.parametrize(
    ("model", "settings", "reason"),
    [
        (Network, {"drop_blocks": 4}, r"drop_blocks = 4, and 3 blocks can be taken out \(blocks"),
        (Network, {"keep": ["none"]}, "keep = 'none' matches nothing"),
        (ByNumber, {}, "without row.1 the model computes something else: its forward takes layers"),
        (Counting, {"drop_blocks": 1}, r"forward fails without blocks\.\d \(IndexError: .*in keep"),
        (
            lambda: nn.Sequential(nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU()), nn.Flatten()),
            {"drop_blocks": 1},
            "simplify finds no block that can be taken out: a residual block",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(
    model: Callable[[], nn.Module], settings: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    task = make_task(model, calibration_data=lambda: [images(8)])
    with pytest.raises(PassRejected, match=reason) as caught:
        simplified(task, tmp_path, **settings)
    assert "\n" not in str(caught.value)


def test_data_is_needed_only_where_blocks_go(tmp_path: Path) -> None:
    with pytest.raises(PassRejected, match=r"simplify needs calibration_data\(\)"):
        simplified(make_task(), tmp_path, drop_blocks=1)
    with pytest.raises(PassRejected, match=r"simplify needs train_data\(\)"):
        simplified(make_task(), tmp_path, epochs=1)
    with pytest.raises(ValueError, match="drop_blocks and drop_share say the same"):
        load_pass("simplify").config.model_validate({"drop_blocks": 1, "drop_share": 0.5})


def test_model_with_nothing_to_simplify_passes_as_it_is(tmp_path: Path) -> None:
    task = make_task(lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()))
    model, sentence = simplified(task, tmp_path)
    assert sentence.startswith("simplified nothing: every layer has an effect of its own")
    assert torch.equal(outputs(model, images(2)), outputs(task.model, images(2)))


def test_exported_file_agrees_and_the_model_can_be_pickled(tmp_path: Path) -> None:
    steps = (PassStep("simplify", {"drop_blocks": 1, "batch_norm": True}),)
    (_, small) = build_variants(calibrated(), [VariantPlan("small", ("onnx",), steps)], tmp_path)
    assert small.failure is None
    assert small.lineage[0].startswith("simplified: batch norm folded: stem.norm, ")
    model, _ = simplified(calibrated(), tmp_path, drop_blocks=1)
    torch.save(model, tmp_path / "model.pt")
    again = torch.load(tmp_path / "model.pt", weights_only=False)
    assert torch.equal(outputs(again, images(4)), outputs(model, images(4)))


def test_layer_of_an_encoder_of_transformers_goes(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    task = load_task(Path(__file__).with_name("tiny_encoder.py"), seed=0)
    model, sentence = simplified(task, tmp_path, drop_blocks=1)
    assert len(model.bert.bert.encoder.layer) == 2
    assert "1 of 3 residual blocks taken out (bert.bert.encoder.layer." in sentence
    program = torch.export.export(model, task.example_inputs)
    torch.testing.assert_close(
        program.module()(*task.example_inputs), outputs(model, *task.example_inputs)
    )
