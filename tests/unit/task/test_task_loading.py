"""A task file is checked when it is loaded and called; errors name its line."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from trimtab.records import UserError
from trimtab.task import Task, evaluation_set, load_task

HEAD = "import torch\nfrom torch import nn\n"
MODEL = "def model():\n    return nn.Linear(8, 4)\n"
INPUTS = "def example_inputs():\n    return torch.zeros(1, 8)\n"


@pytest.fixture
def load(tmp_path: Path) -> Callable[[str], Task]:
    def write_and_load(text: str) -> Task:
        (tmp_path / "task.py").write_text(text)
        return load_task(tmp_path / "task.py", seed=3)

    return write_and_load


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + "x = 1 / 0\n", r"task\.py:3: importing it failed: ZeroDivisionError"),
        (HEAD + "def model(:\n", r"task\.py:3: importing it failed: SyntaxError"),
        (HEAD + "import not_installed_anywhere\n", r"task\.py:3: .*ModuleNotFoundError"),
        (HEAD + INPUTS, r"task\.py: model\(\) is missing"),
        (HEAD + MODEL, r"task\.py: example_inputs\(\) is missing"),
        (HEAD + INPUTS + "model = 3\n", r"model is not a function"),
    ],
)
def test_file_that_cannot_be_a_task(load: Callable[[str], Task], text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load(text)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such task file"):
        load_task(tmp_path / "task.py", seed=0)


def test_model_of_another_kind_is_refused_with_its_line(load: Callable[[str], Task]) -> None:
    task = load(HEAD + INPUTS + "def model():\n    return 3\n")
    with pytest.raises(UserError, match=r"task\.py:5: model\(\) must give a torch\.nn\.Module"):
        _ = task.model


def test_generator_that_fails_on_the_way_has_its_line(load: Callable[[str], Task]) -> None:
    data = (
        "def eval_data():\n    yield torch.zeros(2, 8), torch.zeros(2)\n    raise OSError('gone')\n"
    )
    task = load(HEAD + MODEL + INPUTS + data)
    with pytest.raises(UserError, match=r"task\.py:9: eval_data\(\) failed: OSError: gone"):
        _ = task.evaluation


def test_seed_fixes_the_random_choices(load: Callable[[str], Task]) -> None:
    text = HEAD + MODEL + INPUTS
    first, second = (load(text).model.get_parameter("weight") for _ in range(2))
    assert first.tolist() == second.tolist()


def test_calibration_takes_the_first_training_samples(load: Callable[[str], Task]) -> None:
    data = (
        "def train_data():\n"
        "    for i in range(100):\n"
        "        assert i < 3, 'asked for more than was needed'\n"
        "        yield torch.full((4, 8), float(i)), torch.zeros(4)\n"
    )
    samples = load(HEAD + MODEL + INPUTS + data).calibration(10)
    assert samples[0][:, 0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2]


def test_own_calibration_data_comes_first(load: Callable[[str], Task]) -> None:
    data = (
        "def calibration_data():\n    return [torch.ones(3, 8)]\n"
        "def train_data():\n    raise AssertionError\n"
    )
    task = load(HEAD + MODEL + INPUTS + data)
    assert task.calibration_source == "calibration_data"
    assert task.calibration(100)[0].shape == (3, 8)


def test_names_are_those_of_forward_or_the_tasks_own(load: Callable[[str], Task]) -> None:
    assert load(HEAD + MODEL + INPUTS).input_names == ("input",)
    named = HEAD + MODEL + INPUTS + "def input_names():\n    return ['features']\n"
    assert load(named).input_names == ("features",)
    wrong = HEAD + MODEL + INPUTS + "def input_names():\n    return ['a', 'b']\n"
    with pytest.raises(UserError, match=r"task\.py:7: input_names\(\) must give 1 different"):
        _ = load(wrong).input_names


def test_metric_gets_tensors_where_arrays_came_from_the_device(
    load: Callable[[str], Task],
) -> None:
    assert load(HEAD + MODEL + INPUTS).metric is None
    own = "def metric(outputs, targets):\n    return -(outputs - targets).abs().mean().item()\n"
    metric = load(HEAD + MODEL + INPUTS + own).metric
    assert metric is not None
    assert metric(np.ones((4, 2), np.float32), np.zeros((4, 2), np.float32)) == -1.0


def test_evaluation_set_holds_inputs_by_name_and_keeps_targets_here(
    load: Callable[[str], Task], tmp_path: Path
) -> None:
    data = (
        "def eval_data():\n"
        "    for i in range(3):\n"
        "        yield torch.full((2, 8), float(i)), torch.tensor([i, i])\n"
    )
    made = evaluation_set(load(HEAD + MODEL + INPUTS + data), tmp_path / "new")
    assert made is not None
    assert made.sample_count == 6
    assert made.targets.tolist() == [0, 0, 1, 1, 2, 2]
    with np.load(made.path, allow_pickle=False) as file:
        assert file.files == ["input"]
        assert file["input"][:, 0].tolist() == [0, 0, 1, 1, 2, 2]


def test_task_without_evaluation_data_has_no_evaluation_set(
    load: Callable[[str], Task], tmp_path: Path
) -> None:
    assert evaluation_set(load(HEAD + MODEL + INPUTS), tmp_path) is None
