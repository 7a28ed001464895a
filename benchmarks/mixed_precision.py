"""Mixed precision on ResNet-20 made fragile: what int8 loses, and what is won back for which bytes.

One channel inside a block is scaled up by 1000, the next convolution's weights for it down by as
much: the network computes what it did, but that tensor's int8 scale leaves its other channels next
to nothing. Accuracy is of all 5,000 images of the test part, which the pass never sees, in the
real runtimes; intervals of differences are paired over the images (Agresti and Min).

    TRIMTAB_TEST_DATA=../shared/data python benchmarks/mixed_precision.py

The fine-tuned weights are kept in TRIMTAB_HOME; they are trained anew, for some minutes, where they
are absent. Exits with 1 unless the layers around the outlier are found, at least
80 % of the loss is recovered and the file grows by at most 10 %, in ONNX and in TFLite.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from benchkit.resnet20 import ResNet20, fine_tuned, images
from benchkit.tables import print_heading, print_table, say
from benchkit.tasks import resnet20_weights
from trimtab.export import build_variants, load_exporter
from trimtab.measure.accuracy import paired_drop_interval
from trimtab.project import PassStep, VariantPlan
from trimtab.records import Variant
from trimtab.task import Task

OUTLIER = 1000.0
FRAGILE = ("layer1.1.conv1", "layer1.1.conv2")
LEAST_RECOVERED, MOST_BYTES = 0.8, 1.1
FORMATS = ("onnx", "tflite")
_CHANNEL = 3
_PLANS = (
    VariantPlan("int8", FORMATS, (PassStep("quantize", {"scheme": "static"}),)),
    VariantPlan("mixed", FORMATS, (PassStep("mixed_precision", {}),)),
    VariantPlan(
        "mixed, int16 fallback",
        FORMATS,
        (PassStep("mixed_precision", {"fallback": "int16", "max_drop": 0.05}),),
    ),
)
_COLUMNS = (
    "format",
    "variant",
    "bytes",
    "of int8",
    "accuracy",
    "lost to float, points [95 %]",
    "recovered",
    "not int8",
)
Correct = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Measured:
    variant: Variant
    size: int
    correct: Correct

    @property
    def accuracy(self) -> float:
        return float(self.correct.mean())

    @property
    def not_int8(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.variant.layers if each.precision != "int8")


def main() -> int:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        model = make_fragile(fine_tuned(resnet20_weights()))
        variants = build_variants(task_of(model), _PLANS, Path(folder), say)
        measured = {each.format: dict[str, Measured]() for each in variants}
        for each in variants:
            measured[each.format][each.name] = _measured(each)
    print_heading("ResNet-20 with one outlier channel between layer1.1.conv1 and layer1.1.conv2")
    print_table(_COLUMNS, [row for group in measured.values() for row in _rows(group)])
    problems = [text for name, group in measured.items() for text in _problems(name, group)]
    for text in problems:
        say(f"FAILED: {text}")
    return 1 if problems else 0


def make_fragile(model: ResNet20) -> ResNet20:
    """In place; ReLU is positively homogeneous, so the outputs stay what they were."""
    weights = model.state_dict()
    block = FRAGILE[0].rpartition(".")[0]
    weights[f"{block}.bn1.weight"][_CHANNEL] *= OUTLIER
    weights[f"{block}.bn1.bias"][_CHANNEL] *= OUTLIER
    weights[f"{block}.conv2.weight"][:, _CHANNEL] /= OUTLIER
    return model


def task_of(model: torch.nn.Module) -> Task:
    """Calibration and choice see training images only."""
    pictures, labels = images("train")
    functions: Mapping[str, Callable[[], Any]] = {
        "model": lambda: model,
        "example_inputs": lambda: (pictures[:1],),
        "train_data": lambda: [(pictures, labels)],
    }
    return Task(Path(__file__), functions, seed=0)


def _measured(variant: Variant) -> Measured:
    if variant.artifact is None:
        reason = variant.failure.message if variant.failure else "no reason told"
        raise SystemExit(f"{variant.name} ({variant.format}): {reason}")
    pictures, labels = images("test")
    path = variant.artifact.files[0].path
    outputs = load_exporter(variant.format).run(path, {"image": pictures.numpy()})
    correct = np.asarray(outputs[0].argmax(axis=-1) == labels.numpy())
    return Measured(variant, variant.artifact.size_bytes, correct)


def _rows(group: Mapping[str, Measured]) -> list[Sequence[str]]:
    full, int8 = group["float"], group["int8"]
    return [
        (
            each.variant.format,
            name,
            f"{each.size:,}",
            f"{each.size / int8.size:.3f}",
            f"{each.accuracy:.2%}",
            _lost(full, each),
            "–" if name in ("float", "int8") else f"{_recovered(group, each):.1%}",
            ", ".join(each.not_int8) or "–",
        )
        for name, each in group.items()
    ]


def _lost(full: Measured, other: Measured) -> str:
    low, high = paired_drop_interval(full.correct, other.correct)
    return f"{100 * (full.accuracy - other.accuracy):.2f} [{100 * low:.2f}, {100 * high:.2f}]"


def _recovered(group: Mapping[str, Measured], each: Measured) -> float:
    lost = group["float"].accuracy - group["int8"].accuracy
    return (each.accuracy - group["int8"].accuracy) / lost


def _problems(model_format: str, group: Mapping[str, Measured]) -> list[str]:
    int8, mixed = group["int8"], group["mixed"]
    recovered = _recovered(group, mixed)
    checks = (
        (mixed.not_int8 == FRAGILE, f"found {mixed.not_int8}, not {FRAGILE}"),
        (recovered >= LEAST_RECOVERED, f"recovered {recovered:.1%} of the loss"),
        (mixed.size <= MOST_BYTES * int8.size, f"{mixed.size / int8.size:.3f} of int8's bytes"),
    )
    return [f"{model_format}: {text}" for holds, text in checks if not holds]


if __name__ == "__main__":
    raise SystemExit(main())
