"""ResNet-20 in eight bits: Trimtab's static scheme, and the quantizers beside it as they come."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from trimtab.compress.quiet import quiet
from trimtab.export import build_variants
from trimtab.project import PassStep, VariantPlan
from trimtab.task import Task

from benchkit.resnet20 import ResNet20, images

SAMPLES = 256
FORMATS = ("onnx", "tflite")
INPUT = "image"
_STATIC = {"scheme": "static", "samples": SAMPLES, "method": "minmax"}
_BATCH = 64
Maker = Callable[[Path, Path], None]


def make_ours(model: ResNet20, folder: Path) -> dict[tuple[str, str], Path]:
    """Files by ("float" or "trimtab", format)."""
    plans = [VariantPlan("trimtab", FORMATS, (PassStep("quantize", _STATIC),))]
    made = build_variants(_task(model), plans, folder)
    failed = [str(each.failure) for each in made if each.failure]
    if failed:
        raise SystemExit(failed[0])
    return {(each.name, each.format): folder / f"{each.name}.{each.format}" for each in made}


def make_rival(name: str, source: Path, target: Path) -> None:
    with quiet():
        RIVALS[name][1](source, target)


def _task(model: ResNet20) -> Task:
    import torch

    def calibration_data() -> Any:
        return images("train")[0][:SAMPLES].split(_BATCH)  # type: ignore[no-untyped-call]

    def eval_data() -> Any:
        return [images("test")]

    functions: Mapping[str, Callable[..., Any]] = {
        "model": lambda: model,
        "example_inputs": lambda: torch.zeros(1, 3, 32, 32),
        "calibration_data": calibration_data,
        "eval_data": eval_data,
    }
    return Task(Path(__file__), functions, seed=0)


def _samples() -> Iterator[dict[str, npt.NDArray[Any]]]:
    """The very images that ours are calibrated on, one by one."""
    for image in images("train")[0][:SAMPLES].numpy():
        yield {INPUT: np.ascontiguousarray(image[None])}


def _onnxruntime(source: Path, target: Path) -> None:
    from onnxruntime.quantization import CalibrationDataReader, quantize_static

    feeds = _samples()

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # the base class has no types
        def get_next(self) -> dict[str, npt.NDArray[Any]] | None:
            return next(feeds, None)

    quantize_static(source, target, Reader())


def _nncf(source: Path, target: Path) -> None:
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # no reports
    import nncf
    import onnx

    data = nncf.Dataset(list(_samples()))
    onnx.save(nncf.quantize(onnx.load(source), data, subset_size=SAMPLES), target)


def _ai_edge_quantizer(source: Path, target: Path) -> None:
    from ai_edge_quantizer import quantizer, recipe

    made = quantizer.Quantizer(str(source))
    made.load_quantization_recipe(recipe.static_wi8_ai8())
    ranges = made.calibrate({"serving_default": list(_samples())})
    target.unlink(missing_ok=True)
    made.quantize(ranges).export_model(str(target))


# By name: the format of its files, and how it makes them.
RIVALS: dict[str, tuple[str, Maker]] = {
    "ONNX Runtime's defaults": ("onnx", _onnxruntime),
    "NNCF's PTQ": ("onnx", _nncf),
    "AI Edge Quantizer's recipe": ("tflite", _ai_edge_quantizer),
}
