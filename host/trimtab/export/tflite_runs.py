"""A .tflite file's outputs, in LiteRT, in a process of its own.

On a file that it does not take (a transformer trained with int8, say) LiteRT may abort, which would
take every other variant along.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trimtab.task import Arrays, NamedArrays, joined_runs, single_samples

Array = npt.NDArray[Any]


def run_beside(path: Path, inputs: NamedArrays) -> Arrays:
    """Raises RuntimeError with LiteRT's last words."""
    with tempfile.TemporaryDirectory(prefix="trimtab-") as name:
        given, made = Path(name) / "inputs.npz", Path(name) / "outputs.npz"
        # By number: a name may be any text, and one of numpy's own arguments.
        np.savez(given, allow_pickle=False, **_numbered(inputs.values()))
        command = [sys.executable, "-m", __name__, str(path), str(given), str(made)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(_last_words(done))
        return _read(made)


def _last_words(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode < 0:
        return f"LiteRT ended its process by {signal.Signals(-done.returncode).name}"
    lines = done.stderr.strip().splitlines()
    return lines[-1] if lines else f"LiteRT's process ended with exit code {done.returncode}"


def _numbered(arrays: Any) -> Mapping[str, Any]:
    return {f"array_{number}": array for number, array in enumerate(arrays)}


def _read(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as kept:
        return tuple(kept[f"array_{number}"] for number in range(len(kept.files)))


def run_here(path: Path, inputs: Arrays) -> Arrays:
    """Inputs go in by their order in the file, as on a device, where only that is known."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    named = _numbered(inputs)
    shapes = [detail["shape"] for detail in interpreter.get_input_details()]
    rows = {name: int(shape[0]) for name, shape in zip(named, shapes, strict=True) if len(shape)}
    samples = single_samples(named, rows)
    return joined_runs([_run_once(interpreter, sample) for sample in samples])


def _run_once(interpreter: Any, sample: NamedArrays) -> Arrays:
    details = interpreter.get_input_details()
    if _resized(interpreter, details, sample):
        details = interpreter.get_input_details()
    for detail, array in zip(details, sample.values(), strict=True):
        interpreter.set_tensor(detail["index"], _to_stored(array, detail))
    interpreter.invoke()
    return tuple(
        _to_real(interpreter.get_tensor(detail["index"]), detail)
        for detail in interpreter.get_output_details()
    )


def _resized(interpreter: Any, details: list[dict[str, Any]], sample: NamedArrays) -> bool:
    """Open dimensions take the sample's size."""
    other = [
        (detail["index"], array.shape)
        for detail, array in zip(details, sample.values(), strict=True)
        if array.shape != tuple(detail["shape"]) and -1 in detail["shape_signature"]
    ]
    for index, shape in other:
        interpreter.resize_tensor_input(index, shape)
    if other:
        interpreter.allocate_tensors()
    return bool(other)


def _to_stored(array: Array, detail: dict[str, Any]) -> Array:
    scale, zero_point = detail["quantization"]
    dtype = np.dtype(detail["dtype"])
    if not scale:
        return array.astype(dtype)
    limits = np.iinfo(dtype)
    steps = np.round(array / scale) + zero_point
    return np.asarray(np.clip(steps, limits.min, limits.max).astype(dtype))


def _to_real(array: Array, detail: dict[str, Any]) -> Array:
    scale, zero_point = detail["quantization"]
    if not scale:
        return np.asarray(array)
    return np.asarray((array.astype(np.float32) - zero_point) * np.float32(scale))


if __name__ == "__main__":
    _path, _given, _made = map(Path, sys.argv[1:])
    np.savez(_made, allow_pickle=False, **_numbered(run_here(_path, _read(_given))))
