"""What the pass prune is asked, how much it then takes, and what it says of it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from trimtab.compress.cache import Cache
from trimtab.compress.model_cache import apply_or_fetch
from trimtab.compress.passes import ModelContext, PassRejected
from trimtab.compress.passes.pruning import amounts
from trimtab.compress.passes.pruning.couplings import Coupling, Unit
from trimtab.compress.passes.pruning.prune import PruneConfig
from trimtab.compress.passes.pruning.widths import kept_units
from trimtab.compress.pipeline import apply_to_model, recipe_of
from trimtab.compress.validation import validation_score
from trimtab.export import build_variants
from trimtab.project import PassStep, VariantPlan
from trimtab.task import Task


class Small(nn.Module):
    """Its 16 middle channels are told apart by their batch norm's running mean."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first = nn.Conv2d(1, 16, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(16)
        self.second = nn.Conv2d(16, 24, 3, padding=1)
        self.last = nn.Linear(24, 4)
        with torch.no_grad():
            self.norm.get_buffer("running_mean").copy_(torch.arange(16) / 100)

    def forward(self, image: Tensor) -> Tensor:
        inner = torch.relu(self.norm(self.first(image)))
        scores: Tensor = self.last(torch.relu(self.second(inner)).mean((2, 3)))
        return scores


def quarters(count: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Noise that is brighter in one quarter of the image, which is the class."""
    for _ in range(count // 32):
        labels = torch.randint(0, 4, (32,))
        images = 0.3 * torch.randn(32, 1, 8, 8)
        for image, label in zip(images, labels.tolist(), strict=True):
            top, left = 4 * (label // 2), 4 * (label % 2)
            image[0, top : top + 4, left : left + 4] += 1 + 0.3 * label
        yield images, labels


def data(**functions: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    return {
        "train_data": lambda: quarters(256),
        "calibration_data": lambda: (images for images, _ in quarters(64)),
        **functions,
    }


def task_of(model: Callable[[], nn.Module] = Small, **functions: Callable[..., Any]) -> Task:
    given = {"model": model, "example_inputs": lambda: torch.zeros(1, 1, 8, 8), **functions}
    return Task(Path("task.py"), given, seed=0)


def pruned(task: Task, **settings: Any) -> tuple[Any, str]:
    steps = recipe_of([PassStep("prune", {"epochs": 0, **settings})], "onnx").on_model
    made, (sentence,) = apply_to_model(steps, task.model, ModelContext(task, Path()))
    return made, sentence


def left(model: Any) -> list[int]:
    return [round(100 * mean) for mean in model.norm.running_mean.tolist()]


# What each measure looks at, made small in the odd channels alone.
def small_weights(model: Small) -> None:
    model.first.weight[1::2] *= 1e-2


def small_scales(model: Small) -> None:
    model.norm.weight[1::2] = 1e-2


def unread(model: Small) -> None:
    model.second.weight[:, 1::2] *= 1e-2


def silent(model: Small) -> None:
    model.norm.bias[1::2] = -5


@pytest.mark.parametrize(
    ("importance", "make_small"),
    [
        ("l1", small_weights),
        ("l2", small_weights),
        ("bn-scale", small_scales),
        ("taylor", unread),
        ("activation", silent),
    ],
)
def test_each_importance_sees_what_it_is_named_after(
    importance: str, make_small: Callable[[Small], None]
) -> None:
    def model() -> nn.Module:
        made = Small()
        with torch.no_grad():
            make_small(made)
        return made

    smaller, _ = pruned(task_of(model, **data()), importance=importance, keep=["second"])
    assert left(smaller) == list(range(0, 16, 2))


def test_bn_scale_refuses_layers_without_batch_norm_by_name() -> None:
    with pytest.raises(PassRejected, match="none follows layer second; add it to keep"):
        pruned(task_of(), importance="bn-scale")


@pytest.mark.parametrize(
    ("units", "share", "round_to", "width", "kept"),
    [
        (64, 0.45, 8, 1, 32),  # 35.2
        (16, 0.45, 8, 1, 8),  # 8.8
        (64, 0.30, 8, 1, 48),  # 44.8
        (64, 0.30, 16, 1, 48),
        (64, 0.45, 1, 1, 35),
        (16, 0.95, 8, 1, 8),  # never less than one multiple
        (6, 0.50, 8, 1, 6),  # had less from the beginning
        (20, 0.05, 8, 1, 16),
        (20, 0.0, 8, 1, 20),
        (16, 0.40, 8, 4, 10),  # of a grouped convolution: 40 channels
        (5, 0.95, 1, 1, 1),
    ],
)
def test_widths_are_the_nearest_multiples(
    units: int, share: float, round_to: int, width: int, kept: int
) -> None:
    coupling = Coupling("layer", ("layer",), tuple(Unit() for _ in range(units)), width)
    assert kept_units(coupling, share, round_to) == kept


def test_sentence_tells_what_was_asked_and_what_became_of_it() -> None:
    _, sentence = pruned(task_of(), amount=0.4)
    assert sentence.startswith(
        "40% of the channels removed by l2, in each layer, multiples of 8 kept, at once: "
        "parameters 3756 -> 1324, MACs "
    )
    assert "outputs 16 -> 8 in first, 24 -> 16 in second; left whole: last (" in sentence
    assert sentence.endswith("; not trained afterwards")


def test_layers_named_in_keep_give_all_they_gave() -> None:
    smaller, sentence = pruned(task_of(), amount=0.5, keep=["fir*"])
    assert (smaller.first.out_channels, smaller.second.out_channels) == (16, 16)
    assert "first (named in keep)" in sentence
    with pytest.raises(PassRejected, match="keep: no layer is named frist; the model has first, "):
        pruned(task_of(), keep=["frist"])


def test_nothing_left_to_remove_is_refused() -> None:
    with pytest.raises(PassRejected, match="nothing is removed: rounded to multiples of 32"):
        pruned(task_of(), round_to=32)
    with pytest.raises(PassRejected, match=r"no channels can be removed.*first: named in keep"):
        pruned(task_of(), keep=["first", "second"])


def test_share_of_macs_is_met_by_the_weakest_cut() -> None:
    """One channel more in any layer, and it would be missed."""
    smaller, sentence = pruned(task_of(), macs=0.5, round_to=1)
    assert "channels removed until 0.5 of the MACs stay" in sentence
    first, second = smaller.first.out_channels, smaller.second.out_channels

    def macs(first: int, second: int) -> int:
        return 64 * (9 * first + 2 * first + 9 * first * second + second)  # about: see `counts`

    assert macs(first, second) <= 0.5 * macs(16, 24)
    assert macs(first + 1, second) > 0.49 * macs(16, 24)
    assert first < 16
    assert second < 24


def test_share_of_macs_out_of_reach_is_refused() -> None:
    with pytest.raises(PassRejected, match=r"macs = 0.05 cannot be reached: 0\.\d+ are left"):
        pruned(task_of(), macs=0.05)


def test_global_ranking_takes_from_the_layer_that_matters_less() -> None:
    def model() -> nn.Module:
        made = Small()
        with torch.no_grad():  # scores are relative to a layer's own mean: a few stand out
            made.second.weight[:20] *= 1e-2
            made.last.weight[:, :20] *= 1e-2
        return made

    alike, _ = pruned(task_of(model), amount=0.5, round_to=1)
    ranked, _ = pruned(task_of(model), amount=0.5, round_to=1, ranking="global")
    assert (alike.first.out_channels, alike.second.out_channels) == (8, 12)
    assert (ranked.first.out_channels, ranked.second.out_channels) == (16, 4)


def test_measured_amounts_are_asked_for_and_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[amounts.AmountRequest] = []

    def layer_amounts(request: amounts.AmountRequest) -> amounts.LayerAmounts:
        asked.append(request)
        tried: Any = request.prune(request.model, {"second": 0.5})
        assert (tried.first.out_channels, tried.second.out_channels) == (16, 16)
        return amounts.LayerAmounts({"first": 0.0, "second": 0.7}, "as the board would have it")

    monkeypatch.setattr(amounts, "layer_amounts", layer_amounts)
    smaller, sentence = pruned(task_of(), amounts="profile", device="board", amount=0.4)
    (request,) = asked
    assert (request.amount, request.how, request.device) == (0.4, "profile", "board")
    assert request.layers == ("first", "second")
    assert (smaller.first.out_channels, smaller.second.out_channels) == (16, 8)
    assert "as the board would have it" in sentence


def test_measured_amounts_reach_a_share_of_macs_beyond_their_proportion(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The layer that loses much is cut too where the other alone is not enough."""
    found = amounts.LayerAmounts({"first": 0.05, "second": 0.5}, "measured")
    monkeypatch.setattr(amounts, "layer_amounts", lambda request: found)
    smaller, _ = pruned(task_of(), amounts="sensitivity", macs=0.1, round_to=1)
    first, second = smaller.first.out_channels, smaller.second.out_channels
    assert first / 16 > second / 24
    assert first * (1 + second) <= 0.1 * 16 * (1 + 24)


def trained_model() -> nn.Module:
    made = Small()
    optimizer = torch.optim.Adam(made.parameters(), 5e-3)
    for images, labels in quarters(640):
        loss = nn.functional.cross_entropy(made(images), labels)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    return made


@pytest.mark.slow
def test_steps_with_training_between_end_at_the_same_widths_and_do_better() -> None:
    task = task_of(trained_model, **data(validation_data=lambda: quarters(256)))
    settings = {"amount": 0.6, "round_to": 1, "importance": "taylor"}
    at_once, _ = pruned(task, **settings)
    retraining = {"steps": 3, "epochs_per_step": 1, "epochs": 2, "learning_rate": 5e-3}
    by_steps, sentence = pruned(task, **settings, **retraining)
    assert (by_steps.first.out_channels, by_steps.second.out_channels) == (6, 10)
    assert by_steps.first.weight.shape == at_once.first.weight.shape
    assert "in 3 steps" in sentence
    assert "trained on 2 epochs between the steps and 2 epochs of 256 samples" in sentence
    assert validation_score(by_steps, task) > validation_score(at_once, task) + 0.2
    assert not by_steps.training


def test_float_model_teaches_what_is_left() -> None:
    """Labels that are wrong on purpose pull one of the two away from it."""
    wrong = lambda: ((images, (labels + 1) % 4) for images, labels in quarters(256))  # noqa: E731
    task = task_of(trained_model, train_data=wrong)
    images, _ = next(quarters(32))
    settings = {"epochs": 4, "learning_rate": 5e-3}
    taught, sentence = pruned(task, **settings, distill=1.0)
    alone, _ = pruned(task, **settings)
    with torch.no_grad():
        wanted = task.model(images)
        nearer, farther = ((each(images) - wanted).abs().mean() for each in (taught, alone))
    assert nearer < 0.6 * farther
    assert "distilled from the float model (share 1 of the loss, temperature 4)" in sentence


class EvalOnly(Small):
    def forward(self, image: Tensor) -> Tensor:
        if self.training:
            raise RuntimeError("inference only")
        return super().forward(image)


def test_model_that_only_runs_in_eval_mode_is_trained_in_it() -> None:
    smaller, sentence = pruned(task_of(EvalOnly, **data()), epochs=1)
    assert sentence.count("in eval mode, the only one it runs in") == 1
    assert torch.equal(smaller.norm.running_mean, smaller.norm.running_mean.round(decimals=2))


@pytest.mark.parametrize(
    ("settings", "need"),
    [
        ({"epochs": 1}, "train_data"),
        ({"importance": "taylor"}, "train_data"),
        ({"importance": "activation"}, "calibration_data"),
    ],
)
def test_without_the_data_it_needs_it_says_what_to_add(settings: dict[str, Any], need: str) -> None:
    with pytest.raises(PassRejected, match=rf"prune needs {need}\(\), which task.py lacks"):
        pruned(task_of(), **settings)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"device": "pi"}, "device is a setting of amounts = profile"),
        ({"ranking": "global", "amounts": "profile"}, "both choose the layers' shares"),
        ({"epochs_per_step": 1}, "epochs_per_step is between steps, and there is one"),
        ({"temperature": 2.0}, "temperature is a setting of distill"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    settings: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValidationError, match=reason):
        PruneConfig.model_validate(settings)


def test_heads_may_follow_channels_but_pruning_not_what_it_would_undo() -> None:
    twice = [PassStep("prune", {}), PassStep("prune", {"structure": "head"})]
    assert len(recipe_of(twice, "onnx").on_model) == 2
    with pytest.raises(PassRejected, match="prune cannot follow qat"):
        recipe_of([PassStep("qat", {}), PassStep("prune", {})], "onnx")


def test_pruned_model_is_kept_and_not_trained_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, cache = task_of(**data()), Cache(tmp_path)
    steps = recipe_of([PassStep("prune", {"epochs": 1})], "onnx").on_model
    context = ModelContext(task, tmp_path)
    first, lineage = apply_or_fetch(steps, task.model, "model", context, cache)

    def never(*arguments: Any) -> None:
        raise AssertionError("it trained again")

    monkeypatch.setattr("trimtab.compress.retraining.train", never)
    again, same_lineage = apply_or_fetch(steps, task.model, "model", context, cache)
    assert lineage == same_lineage
    assert torch.equal(first.get_parameter("last.weight"), again.get_parameter("last.weight"))
    other = ModelContext(task_of(**data(train_data=lambda: quarters(128))), tmp_path)
    with pytest.raises(AssertionError, match="trained again"):
        apply_or_fetch(steps, other.task.model, "model", other, cache)


@pytest.mark.slow
@pytest.mark.parametrize("model_format", ["onnx", "tflite"])
def test_files_agree_with_the_pruned_model(digits: Task, tmp_path: Path, model_format: str) -> None:
    steps = (PassStep("prune", {"amount": 0.5, "steps": 2, "epochs": 1, "distill": True}),)
    plan = VariantPlan("pruned", (model_format,), steps)
    whole, smaller = build_variants(digits, [plan], tmp_path)
    assert smaller.failure is None
    sizes = [(tmp_path / f"{each.name}.{model_format}").stat().st_size for each in (whole, smaller)]
    assert sizes[1] < 0.5 * sizes[0]
    pruning, _, verified = smaller.lineage
    assert "outputs 32 -> 16 in 0, 64 -> 32 in 2, 5, 8" in pruning
    assert "differ" in verified
