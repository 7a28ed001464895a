"""A student that learns from the float model: who it is, what it learns from, what is refused."""

import copy
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from trimtab.compress import held
from trimtab.compress.passes import ModelContext, PassRejected, load_pass
from trimtab.compress.passes.distillation.distill import DistillPass
from trimtab.compress.pipeline import apply_to_model, recipe_of
from trimtab.export import build_variants
from trimtab.project import PassStep, VariantPlan, load_project
from trimtab.records import UserError
from trimtab.task import Task


class Teacher(nn.Module):
    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, width, 3, padding=1), nn.BatchNorm2d(width))
        self.second = nn.Conv2d(width, 2 * width, 3, 2, padding=1)
        self.last = nn.Linear(2 * width, 4)

    def forward(self, image: Tensor) -> Tensor:
        inner = torch.relu(self.second(torch.relu(self.first(image))))
        scores: Tensor = self.last(inner.mean((2, 3)))
        return scores


def quarters(count: int, batch: int = 32) -> Iterator[tuple[Tensor, Tensor]]:
    """Noise that is brighter in one quarter of the image, which is the class."""
    for _ in range(count // batch):
        labels = torch.randint(0, 4, (batch,))
        images = 0.5 * torch.randn(batch, 1, 8, 8)
        for image, label in zip(images, labels.tolist(), strict=True):
            top, left = 4 * (label // 2), 4 * (label % 2)
            image[0, top : top + 4, left : left + 4] += 1 + 0.3 * label
        yield images, labels


def learned(model: nn.Module) -> nn.Module:
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for images, labels in quarters(640):
        loss = nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    return model


def make_task(seed: int = 0, **functions: Callable[..., Any]) -> Task:
    given = {
        "model": lambda: learned(Teacher()),
        "example_inputs": lambda: torch.zeros(1, 1, 8, 8),
        "train_data": lambda: quarters(256),
        **functions,
    }
    return Task(Path("task.py"), given, seed)


@pytest.fixture(scope="module")
def task() -> Task:
    return make_task()


def distilled(
    task: Task, tmp_path: Path, model: nn.Module | None = None, **settings: Any
) -> tuple[nn.Module, str]:
    """By default of one epoch."""
    steps = recipe_of([PassStep("distill", {"epochs": 1, **settings})], "onnx").on_model
    start = task.model if model is None else model
    made, (sentence,) = apply_to_model(steps, start, ModelContext(task, tmp_path))
    return made, sentence


def outputs(model: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        result: Tensor = model(images)
    return result


def sizes(model: nn.Module) -> list[tuple[int, ...]]:
    return [tuple(each.shape) for each in model.parameters()]


def test_narrow_student_has_half_the_width_and_the_same_outputs_shape(
    task: Task, tmp_path: Path
) -> None:
    made, sentence = distilled(task, tmp_path, student="narrow", start="fresh")
    assert sizes(made) == sizes(Teacher(8))
    assert not made.training
    assert "0.5 of its width" in sentence
    assert "new weights" in sentence
    assert "class scores softened with temperature 4 (share 0.7 of the loss)" in sentence
    assert "1 epoch of 256 samples, final loss 0." in sentence


def test_kept_channels_are_the_largest_and_random_ones_differ(task: Task, tmp_path: Path) -> None:
    narrow: dict[str, Any] = {"student": "narrow", "epochs": 0}
    largest, sentence = distilled(task, tmp_path, **narrow)
    others, _ = distilled(task, tmp_path, **narrow, importance="random")
    fresh, _ = distilled(task, tmp_path, **narrow, start="fresh")
    assert sentence.endswith("not trained, epochs = 0")
    every = {tuple(row.flatten().tolist()) for row in _rows(task.model)}
    assert all(tuple(row.flatten().tolist()) in every for row in _rows(largest))
    assert not any(tuple(row.flatten().tolist()) in every for row in _rows(fresh))
    assert not torch.equal(_rows(largest), _rows(others))


def _rows(model: nn.Module) -> Tensor:
    first: Tensor = model.get_parameter("first.0.weight").detach()
    return first


class Stubborn(Teacher):
    def forward(self, image: Tensor) -> Tensor:
        assert self.first(image).shape[1] == 16
        return super().forward(image)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.LSTM(64, 16, batch_first=True)
        self.last = nn.Linear(16, 4)

    def forward(self, image: Tensor) -> Tensor:
        scores: Tensor = self.last(self.inner(image.flatten(2))[0][:, -1])
        return scores


def test_width_that_a_model_insists_on_is_kept_and_named(tmp_path: Path) -> None:
    made, sentence = distilled(make_task(model=Stubborn), tmp_path, student="narrow", epochs=0)
    assert made.get_parameter("second.weight").shape == (16, 16, 3, 3)
    assert "full width kept where the model needs it: first.0" in sentence


def test_model_without_a_width_to_change_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PassRejected, match=r"no hidden width can be .* write a student\(\)"):
        distilled(make_task(model=Recurrent), tmp_path, student="narrow")


def test_own_student_learns_and_the_task_is_asked_for_it(task: Task, tmp_path: Path) -> None:
    with pytest.raises(PassRejected, match=r"distill needs student\(\), which task\.py lacks"):
        distilled(task, tmp_path, student="own")
    made, sentence = distilled(make_task(student=lambda: Teacher(8)), tmp_path, student="own")
    assert sizes(made) == sizes(Teacher(8))
    assert "student() of task.py, 1,332 of 4,964 parameters" in sentence


@pytest.mark.parametrize(
    ("student", "reason"),
    [
        (lambda: nn.Flatten(), "without weights that can be trained"),
        (lambda: nn.Linear(3, 4), "does not take the example inputs: RuntimeError"),
        (lambda: nn.Conv2d(1, 1, 1), r"gives outputs \(1, 1, 8, 8\) and the model \(1, 4\)"),
    ],
)
def test_own_student_that_does_not_fit_is_refused_in_one_line(
    student: Callable[[], nn.Module], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(PassRejected, match=reason) as caught:
        distilled(make_task(student=student), tmp_path, student="own", epochs=0)
    assert "\n" not in str(caught.value)


def test_cached_result_depends_on_the_own_students_weights(tmp_path: Path) -> None:
    work = load_pass("distill")
    config = work.config.model_validate({"student": "own", "epochs": 0})
    keys = set()
    for seed in (0, 1, 1):
        task = make_task(seed, model=Teacher, student=lambda: Teacher(8))
        keys.add(work.data_key(config, ModelContext(task, tmp_path)))
    assert len(keys) == 2


def test_model_of_an_earlier_pass_learns_and_keeps_what_is_held(task: Task, tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Zeros:
        shape: tuple[int, ...]

        def restore(self, weight: Tensor) -> None:
            weight[0] = 0

    model = copy.deepcopy(task.model)
    held.hold(model, {"second.weight": Zeros((32, 16, 3, 3))})
    held.restore(model)
    settings: dict[str, Any] = {"features": ["first:first"], "match": "hint"}
    made, sentence = distilled(task, tmp_path, model, **settings)
    assert "the model as the passes before left it" in sentence
    assert not made.get_parameter("second.weight")[0].any()
    assert made.get_parameter("second.weight")[1].any()
    assert list(held.held(made)) == ["second.weight"]


def test_unchanged_model_is_said_to_have_nothing_to_learn(task: Task, tmp_path: Path) -> None:
    _, sentence = distilled(task, tmp_path, epochs=0)
    assert "no pass changed before: there is nothing it does not know" in sentence


@pytest.mark.slow
def test_student_learns_from_the_teacher_where_labels_teach_nothing(
    digits: Task, tmp_path: Path
) -> None:
    def train_data() -> Iterator[Any]:
        for inputs, targets in digits.train_batches():
            yield inputs, torch.zeros_like(targets)

    task = Task(digits.path, {**digits._functions, "train_data": train_data}, 0)
    images = torch.from_numpy(digits.evaluation[0][0])
    wanted = outputs(digits.model, images).argmax(1)
    agreement = {}
    for weight in (0.0, 1.0):
        narrow: dict[str, Any] = {"student": "narrow", "width": 0.5, "start": "fresh"}
        made, _ = distilled(task, tmp_path, epochs=4, learning_rate=0.01, weight=weight, **narrow)
        agreement[weight] = float((outputs(made, images).argmax(1) == wanted).float().mean())
    assert agreement[0.0] < 0.3
    assert agreement[1.0] > 0.7


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"width": 0.5}, 'width is a setting of student = "narrow"'),
        ({"soft": "values", "temperature": 2.0}, "temperature is a setting of"),
        ({"match": "hint"}, "match is a setting of features"),
        ({"features": ["a"], "relation_heads": 2}, 'a setting of match = "relations"'),
    ],
)
def test_setting_without_what_it_belongs_to_is_refused(
    settings: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        load_pass("distill").config.model_validate(settings)


@pytest.mark.parametrize(
    ("never_after", "reason"),
    [
        ({"qat"}, "pass distill cannot follow qat; put it before"),
        (set(), 'student = "own" begins with another model, and what qat did would be lost'),
    ],
)
def test_order_that_makes_no_sense_is_refused_where_it_is_written(
    never_after: set[str], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DistillPass, "never_after", frozenset(never_after))
    with pytest.raises(PassRejected, match=reason):
        recipe_of([PassStep("qat", {}), PassStep("distill", {"student": "own"})], "onnx")
    (tmp_path / "task.py").write_text("def model(): ...\ndef example_inputs(): ...\n")
    (tmp_path / "trimtab.toml").write_text(
        '[task]\nmodule = "task.py"\n[[variant]]\nname = "x"\nformats = ["onnx"]\n'
        'passes = [{ use = "qat" }, { use = "distill", student = "own" }]\n'
    )
    with pytest.raises(UserError, match=rf"trimtab\.toml:6: .*{reason}"):
        load_project(tmp_path)


def test_distilled_model_pickles_exports_and_runs_in_onnx(task: Task, tmp_path: Path) -> None:
    settings = {"epochs": 1, "student": "narrow", "features": ["first", "second"]}
    plan = VariantPlan("small", ("onnx",), (PassStep("distill", settings),))
    small = build_variants(task, [plan], tmp_path)[1]
    assert small.failure is None
    assert "hint of 2 layers (first, second, 2 through a projection; weight 1)" in small.lineage[0]
    made, _ = distilled(task, tmp_path, student="narrow", features=["first.*"], match="attention")
    assert torch.equal(
        outputs(pickle.loads(pickle.dumps(made)), torch.ones(2, 1, 8, 8)),  # noqa: S301
        outputs(copy.deepcopy(made), torch.ones(2, 1, 8, 8)),
    )
