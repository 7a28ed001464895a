"""Scheme x format x runtime: works or the reason, size, agreement, accuracy and p50, in Markdown.

Each network is a project in which every scheme is asked for in every format, run by `trimtab run`
on the local device with every runtime that reads a format. A cell works only where the outputs
were compared with the float model's, on the whole evaluation set, and agree.

    python benchmarks/quantization_matrix.py [resnet20] [encoder]

NAME=RUN prints a run that was kept, instead of running anew.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchkit.matrix_cells import Json, cells_of, summary
from benchkit.tables import print_heading, print_table, say
from benchkit.tasks import weights_folder

_TITLES = {"resnet20": "ResNet-20, CIFAR subset", "encoder": "BERT-shaped encoder, SST-2 phrases"}
_TASKS = Path(__file__).resolve().parent / "matrix_tasks"
_FORMATS = ("onnx", "tflite", "pte", "pt2", "torchscript", "openvino")
_RUNTIMES = ("onnxruntime", "openvino", "litert", "executorch", "torch")
_QUANTIZE = (
    "fp16",
    "dynamic",
    "weight-int8",
    "weight-int4",
    "static",
    "static-int16",
)
_SCHEMES: Mapping[str, str] = {
    **{name: f'{{ use = "quantize", scheme = "{name}" }}' for name in _QUANTIZE},
    "static-int8-activations": '{ use = "quantize", scheme = "static", activations = "int8" }',
    "mixed-precision": '{ use = "mixed_precision" }',
    "qat": '{ use = "qat", epochs = 1 }',
}
_COLUMNS = (
    "scheme",
    "format",
    "runtime",
    "outcome",
    "size",
    "SQNR",
    "same answer",
    "accuracy",
    "p50",
)
_UNMADE_COLUMNS = ("scheme", "format", "why not")
_WANTED = 25


def main(names: Sequence[str]) -> int:
    short = False
    for asked in names or tuple(_TITLES):
        name, _, kept = asked.partition("=")
        cells = cells_of(_kept(kept) if kept else _measure(name))
        working = sum(cell.works for cell in cells)
        short = short or working < _WANTED
        print_heading(_TITLES[name])
        print(summary(cells))
        print_table(_COLUMNS, [cell.row for cell in cells if cell.runtime])
        print_table(_UNMADE_COLUMNS, [cell.why_not for cell in cells if not cell.runtime])
    return int(short)


def _measure(name: str) -> Json:
    folder = weights_folder() / "matrix" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "trimtab.toml").write_text(_project(name), encoding="utf-8")
    say(f"{name}: in {folder}")
    command = [sys.executable, "-m", "trimtab", "run", str(folder), "--format", "json"]
    # The files are our own: .pt and .pt2 may run their code here.
    allowed = {"TRIMTAB_ALLOW_CODE_IN_MODELS": "1", "PYTHONPATH": str(_TASKS.parent)}
    environment = {**os.environ, **allowed}
    done = subprocess.run(command, stdout=subprocess.PIPE, env=environment, check=False)
    if not done.stdout:
        raise SystemExit(f"trimtab run of {name} gave nothing: exit code {done.returncode}")
    run: Json = json.loads(done.stdout)
    return run


def _kept(run_id: str) -> Json:
    command = [sys.executable, "-m", "trimtab", "runs", "show", run_id, "--format", "json"]
    run: Json = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return run


def _project(name: str) -> str:
    formats = ", ".join(f'"{each}"' for each in _FORMATS)
    runtimes = ", ".join(f'"{each}"' for each in _RUNTIMES)
    variants = "".join(
        f'[[variant]]\nname = "{scheme}"\nformats = [{formats}]\npasses = [{step}]\n\n'
        for scheme, step in _SCHEMES.items()
    )
    return (
        f'[task]\nmodule = "{_TASKS / name}.py"\n\n{variants}'
        f'[measure]\npolicy = "quick"\nruntimes = [{runtimes}]\nmin_agreement = 0.9\n'
    )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
