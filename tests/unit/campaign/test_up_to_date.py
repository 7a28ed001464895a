"""A second compress runs nothing of the task and says so; any change builds again."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

TASK = """
import os
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from helper import WIDTH

HERE = Path(__file__).parent

def model():
    (HERE / "runs.txt").open("a").write("ran\\n")
    layer = torch.nn.Linear(WIDTH, int(os.environ.get("CLASSES", "4")))
    with torch.no_grad():
        layer.weight.copy_(load_file(WEIGHTS)["weight"][: layer.out_features])
        layer.bias.copy_(torch.load(HERE / "bias.pt")[: layer.out_features])
    return layer.eval()

def example_inputs():
    return torch.from_numpy(np.load(HERE / "inputs.npy"))[:1]

def calibration_data():
    for path in sorted((HERE / "samples").glob("*.npy")):
        yield torch.from_numpy(np.load(path))
"""
PROJECT = """
[task]
module = "task.py"

[[variant]]
name = "static"
formats = ["onnx"]
passes = [{ use = "quantize", scheme = "static" }]

[[variant]]
name = "impossible"
formats = ["tflite"]
passes = [{ use = "quantize", scheme = "static", activations = "uint8" }]
"""
# The task is run with a real torch, the second time with none: it would fail to import.
RUN = """
import sys
from pathlib import Path
if sys.argv[2:] == ["without-torch"]:
    sys.modules["torch"] = None
from trimtab.campaign.project_run import compress_project
for each in compress_project(Path(sys.argv[1]), lambda line: print(line, file=sys.stderr)):
    print(each)
"""
Compress = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    weights = tmp_path_factory.mktemp("elsewhere") / "weights.safetensors"
    torch.manual_seed(0)
    save_file({"weight": torch.randn(8, 8)}, weights)
    torch.save(torch.randn(8), folder / "bias.pt")
    (folder / "samples").mkdir()
    np.save(folder / "inputs.npy", np.zeros((2, 8), np.float32))
    for index in range(2):
        samples = np.random.default_rng(index).standard_normal((8, 8), np.float32)
        np.save(folder / "samples" / f"{index}.npy", samples)
    (folder / "helper.py").write_text("WIDTH = 8\n")
    (folder / "task.py").write_text(TASK.replace("WEIGHTS", repr(str(weights))))
    (folder / "trimtab.toml").write_text(PROJECT)
    return folder


@pytest.fixture
def compress(project: Path, tmp_path: Path) -> Compress:
    def run(*more: str, **environment: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-c", RUN, str(project / "trimtab.toml"), *more],
            env={**os.environ, "TRIMTAB_HOME": str(tmp_path / "home"), **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done

    return run


def runs(project: Path) -> int:
    return len((project / "runs.txt").read_text().splitlines())


@pytest.fixture
def built(project: Path, compress: Compress) -> subprocess.CompletedProcess[str]:
    """Made, and known to be up to date."""
    compress()
    before = runs(project)
    second = compress("without-torch")
    assert "nothing to do: 3 variants are up to date, and 1 would be refused" in second.stderr
    assert runs(project) == before
    return second


def _append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def _weights(project: Path) -> Path:
    line = next(
        line for line in (project / "task.py").read_text().splitlines() if "load_file(" in line
    )
    return Path(line.split("'")[1])


def _other_weights(project: Path) -> None:
    save_file({"weight": torch.randn(8, 8)}, _weights(project))


def _other_bias(project: Path) -> None:
    torch.save(torch.randn(8), project / "bias.pt")


def _another_sample(project: Path) -> None:
    (project / "samples" / "2.npy").write_bytes((project / "samples" / "1.npy").read_bytes())


def _other_recipe(project: Path) -> None:
    (project / "trimtab.toml").write_text(PROJECT.replace('"static" }]', '"fp16" }]', 1))


def _damaged(project: Path) -> None:
    path = project / "trimtab-build" / "static.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "helper": (lambda project: _append(project / "helper.py", "# more\n"), "helper.py changed"),
    "task": (lambda project: _append(project / "task.py", "# more\n"), "task.py changed"),
    "safetensors elsewhere": (_other_weights, "weights.safetensors changed"),
    "weights by torch": (_other_bias, "bias.pt changed"),
    "another sample": (_another_sample, "the files in .*samples changed"),
    "recipe": (_other_recipe, "the task or the variants changed"),
    "damaged output": (_damaged, "static.onnx is missing or was changed"),
    "lost output": (
        lambda project: (project / "trimtab-build" / "float.onnx").unlink(),
        "float.onnx is missing or was changed",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_change_builds_again_and_is_named(
    project: Path,
    compress: Compress,
    built: subprocess.CompletedProcess[str],
    change: str,
) -> None:
    make, said = CHANGES[change]
    make(project)
    again = compress()
    assert re.search(f"building again: .*{said}", again.stderr)
    if "output" in change:
        assert again.stdout == built.stdout
    compress("without-torch")


@pytest.mark.slow
def test_environment_that_the_task_mentions_is_an_input(
    project: Path, compress: Compress, built: subprocess.CompletedProcess[str]
) -> None:
    again = compress(CLASSES="3", UNMENTIONED="1")
    assert "building again: environment variable CLASSES changed" in again.stderr
    assert again.stdout != built.stdout
    assert "nothing to do" in compress("without-torch", CLASSES="3").stderr


@pytest.mark.slow
def test_what_is_no_input_builds_nothing(
    project: Path, compress: Compress, built: subprocess.CompletedProcess[str]
) -> None:
    (project / "report.html").write_text("a report")
    _append(project / "trimtab.toml", '\n[prefer]\nminimize = "size_mb"\n')
    (project / "bias.pt").touch()
    second = compress("without-torch", UNMENTIONED="1")
    assert "nothing to do" in second.stderr
    assert second.stdout == built.stdout
