"""A small trained task, made once: the starting project's own digits."""

from collections.abc import Callable
from pathlib import Path

import pytest
from trimtab.scaffold import write_starting_project
from trimtab.task import Task, load_task


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Task:
    folder = tmp_path_factory.mktemp("digits")
    write_starting_project(folder)
    return load_task(folder / "task.py", seed=0)


@pytest.fixture
def tiny_task(tmp_path: Path) -> Callable[..., Task]:
    """A task around one linear layer on eight features; ``extra`` is more code for its file."""

    def make(extra: str = "", layer: str = "nn.Linear(8, 4)", seed: int = 0) -> Task:
        file = tmp_path / "task.py"
        file.write_text(
            "import torch\nfrom torch import nn\n"
            f"def model():\n    return nn.Sequential({layer})\n"
            "def example_inputs():\n    return torch.zeros(1, 8)\n" + extra
        )
        return load_task(file, seed)

    return make
