"""Static int8 of ResNet-20 beside other quantizers, on all 5,000 test images, in one run.

All calibrate on the same 256 training images. The baseline is one network, and rounding moves some
forty of its 5,000 answers either way, so its intervals are wider than the bound against the others:
four more fine-tunings, shorter ones, tell what is luck. Weights are kept in TRIMTAB_HOME, else in
~/.trimtab; TRIMTAB_BENCH_FILE as in harness_overhead.py.

    TRIMTAB_BENCH_FILE=rows.jsonl python benchmarks/quantizer_rivals.py

Exits with 1 where the interval of a bound reaches beyond it, on the baseline alone or over all
networks: at most 0.5 points lost, nowhere worse than another quantizer by 0.2 points; and where a
file is not under 0.31 of float in ONNX and 0.33 in TFLite.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from benchkit.paired_accuracy import Difference, Right, difference
from benchkit.quantizers import FORMATS, INPUT, RIVALS, make_ours, make_rival
from benchkit.resnet20 import fine_tuned, images
from benchkit.rows import Row, Rows
from benchkit.tables import print_heading, print_table, say
from benchkit.tasks import resnet20_weights
from trimtab.export import load_exporter

LARGEST_LOSS = 0.5
LARGEST_SHARE = {"onnx": 0.31, "tflite": 0.33}
WORSE_BY = 0.2
FLOAT, OURS = "float", "trimtab"
_COLUMNS = (
    *("variant", "format", "bytes", "of float", "accuracy"),
    *("against float, points", "trimtab against it, points"),
)


@dataclass(frozen=True)
class Network:
    epochs: int
    seed: int

    @property
    def weights(self) -> Path:
        return resnet20_weights(self.epochs, self.seed)


NETWORKS = (Network(8, 0), *(Network(2, seed) for seed in (1, 2, 3, 4)))


@dataclass(frozen=True)
class Scored:
    """One variant over some networks."""

    size: int
    right: Sequence[Right]

    @property
    def accuracy(self) -> float:
        return 100 * float(np.mean(self.right))


Key = tuple[str, str]


def main() -> int:
    torch.set_num_threads(int(os.environ.get("TRIMTAB_BENCH_THREADS", "2")))
    rows = Rows.of_environment()
    scored = [_score(rows, network) for network in NETWORKS]
    print_heading("Static int8 of ResNet-20 beside other quantizers")
    print("The float baseline, fine-tuned for 8 epochs:\n")
    broken = _print_scores(_together(scored[:1]), "the baseline")
    print(f"It and {len(NETWORKS) - 1} more, fine-tuned for 2 epochs with other seeds, together:\n")
    broken += _print_scores(_together(scored), f"{len(NETWORKS)} networks")
    for sentence in broken:
        print(f"NOT KEPT: {sentence}")
    return 1 if broken else 0


def _score(rows: Rows, network: Network) -> dict[Key, Row]:
    made: dict[Key, Row] = {}
    with tempfile.TemporaryDirectory() as folder:
        files = _Files(network, Path(folder))
        names = [(name, each) for name in (FLOAT, OURS) for each in FORMATS]
        for name, model_format in [*names, *((name, RIVALS[name][0]) for name in RIVALS)]:
            key: dict[str, Any] = {"name": name, "format": model_format}
            key |= {"epochs": network.epochs, "seed": network.seed, "benchmark": "quantizers"}
            measure = partial(files.measure, name, model_format)
            made[name, model_format] = rows.once(key, measure)
    return made


class _Files:
    """Made when the first is asked for: a run that goes on may need none."""

    def __init__(self, network: Network, folder: Path) -> None:
        self._network = network
        self._folder = folder
        self._ours: dict[Key, Path] = {}

    def measure(self, name: str, model_format: str) -> Row:
        say(f"{self._network.epochs} epochs, seed {self._network.seed}: {name}, {model_format}")
        path = self._path(name, model_format)
        pictures, labels = _test_images()
        outputs = load_exporter(model_format).run(path, {INPUT: pictures})[0]
        right = np.packbits(outputs.argmax(axis=1) == labels)
        return {"bytes": path.stat().st_size, "right": right.tobytes().hex()}

    def _path(self, name: str, model_format: str) -> Path:
        if not self._ours:
            model = fine_tuned(self._network.weights, self._network.seed, self._network.epochs)
            self._ours = make_ours(model, self._folder)
        if name in RIVALS:
            target = self._folder / f"rival.{model_format}"
            make_rival(name, self._ours[FLOAT, model_format], target)
            return target
        return self._ours[name, model_format]


@cache
def _test_images() -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    pictures, labels = images("test")
    return pictures.numpy(), labels.numpy()


def _together(networks: Sequence[dict[Key, Row]]) -> dict[Key, Scored]:
    count = len(_test_images()[1])
    return {
        key: Scored(
            networks[0][key]["bytes"],
            [_bits(each[key]["right"], count) for each in networks],
        )
        for key in networks[0]
    }


def _bits(text: str, count: int) -> Right:
    packed = np.frombuffer(bytes.fromhex(text), np.uint8)
    return np.unpackbits(packed, count=count).astype(np.bool_)


def _print_scores(scored: dict[Key, Scored], networks: str) -> list[str]:
    """Prints the table; gives the bounds that do not hold."""
    rows, broken = [], []
    for (name, model_format), each in scored.items():
        floats, ours = scored[FLOAT, model_format], scored[OURS, model_format]
        share = each.size / floats.size
        drop = difference(each.right, floats.right)
        behind = difference(ours.right, each.right)
        rows.append(_cells(name, model_format, each, share, drop, behind))
        label = f"{networks}: {name}, {model_format}"
        if name == OURS:
            broken += _loss_problems(label, drop, share, LARGEST_SHARE[model_format])
        elif name != FLOAT and behind.low <= -WORSE_BY:
            broken.append(f"{label}: trimtab against it {behind} reaches {-WORSE_BY}")
    print_table(_COLUMNS, rows)
    return broken


def _cells(
    name: str, model_format: str, each: Scored, share: float, drop: Difference, behind: Difference
) -> list[str]:
    cells = [name, model_format, f"{each.size:,}", f"{share:.3f}", f"{each.accuracy:.2f} %"]
    return [*cells, "" if name == FLOAT else str(drop), "" if name == OURS else str(behind)]


def _loss_problems(label: str, drop: Difference, share: float, largest: float) -> list[str]:
    found = []
    if drop.low < -LARGEST_LOSS:
        found.append(f"{label} against float {drop} reaches {-LARGEST_LOSS}")
    if share > largest:
        found.append(f"{label} has {share:.3f} of float's bytes, {largest} are allowed")
    return found


if __name__ == "__main__":
    raise SystemExit(main())
