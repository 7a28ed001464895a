"""A bad project file: one line with file and line number, what is allowed, exit 2."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Trimtab = Callable[..., subprocess.CompletedProcess[str]]
TASK = '[task]\nmodule = "task.py"\n'
VARIANT = '[[variant]]\nname = "a"\npasses = [{ use = "quantize", scheme = "fp16" }]\n'


@pytest.mark.parametrize(
    ("project", "said", "allowed"),
    [
        ('[task]\nmodul = "task.py"\n', "trimtab.toml:2: ", "module"),
        (TASK + "seed = 'zero'\n", "trimtab.toml:3: ", "whole number"),
        ('[task]\nmodule = "gone.py"\n', "trimtab.toml:2: ", "gone.py"),
        (TASK + '[require]\naccuracy = ">= 1.5"\n', "trimtab.toml:4: ", "accuracy"),
        (TASK + VARIANT.replace("fp16", "int3"), "trimtab.toml:5: ", "static"),
        (TASK + "[devices\n", "trimtab.toml:3", ""),
    ],
    ids=["unknown-key", "wrong-type", "missing-file", "impossible", "unknown-scheme", "syntax"],
)
def test_each_is_one_line(
    trimtab: Trimtab, tmp_path: Path, project: str, said: str, allowed: str
) -> None:
    (tmp_path / "task.py").write_text("")
    (tmp_path / "trimtab.toml").write_text(project)

    run = trimtab("run")

    assert run.returncode == 2
    first_line = run.stderr.splitlines()[0]
    assert said in first_line
    assert allowed in run.stderr
    assert "Traceback" not in run.stderr


def test_a_missing_project_says_how_to_get_one(trimtab: Trimtab) -> None:
    run = trimtab("run")

    assert run.returncode == 2
    assert "trimtab init" in run.stderr


def test_a_task_that_raises_is_named_with_its_line(trimtab: Trimtab, tmp_path: Path) -> None:
    (tmp_path / "task.py").write_text(
        "def model():\n    raise FileNotFoundError('weights.pt')\n\n"
        "def example_inputs():\n    ...\n"
    )
    (tmp_path / "trimtab.toml").write_text(TASK + VARIANT)

    run = trimtab("run")

    assert run.returncode == 2
    assert "task.py:2" in run.stderr
    assert "weights.pt" in run.stderr
    assert "Traceback" not in run.stderr
