"""User-given tensors: ``--eval FILE.npz`` with labels and ``--inputs FILE.npz`` without."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from trimtab_protos.digest import digest_file

from trimtab.records import EvaluationSet, UserError

LABEL_NAMES = ("labels", "label", "targets", "target", "y")
_FORM = (
    "write it with numpy.savez(FILE, images=..., labels=...): the inputs, samples on the first "
    f"axis, and the labels as one of {', '.join(LABEL_NAMES)}"
)

Arrays = Mapping[str, npt.NDArray[Any]]


def load_evaluation(path: Path, scratch: Path) -> EvaluationSet:
    """The inputs, which travel, and the labels, which stay. Raises UserError."""
    return write_evaluation(*read_evaluation(path), scratch)


def read_evaluation(path: Path, *, scalars: bool = False) -> tuple[Arrays, npt.NDArray[Any]]:
    """Inputs by name, and the labels. ``scalars``: an input may be one value without axes.

    Raises UserError for anything but an .npz of plain arrays with labels of the same length.
    """
    arrays = dict(_read(path))
    label_name = next((name for name in LABEL_NAMES if name in arrays), None)
    if label_name is None:
        raise UserError(f"{path}: no labels among {', '.join(arrays) or 'nothing'}", _FORM)
    labels = arrays.pop(label_name)
    if not arrays:
        raise UserError(f"{path}: labels, but no inputs", _FORM)
    for name, array in arrays.items():
        if array.ndim == 0 and scalars:
            continue
        if array.ndim == 0 or len(array) != len(labels):
            count = len(array) if array.ndim else "no"
            raise UserError(f"{path}: {count} samples in {name}, {len(labels)} labels", _FORM)
    if not np.issubdtype(labels.dtype, np.integer) or labels.ndim != 1:
        raise UserError(
            f"{path}: labels of type {labels.dtype} and shape {labels.shape}",
            "labels are class numbers: one integer a sample",
        )
    return arrays, labels


def load_inputs(path: Path, scratch: Path) -> EvaluationSet:
    """Inputs to measure with, without labels; ``targets`` is empty."""
    return write_evaluation(read_inputs(path), np.empty(0, np.int64), scratch)


def read_inputs(path: Path, *, scalars: bool = False) -> Arrays:
    """Inputs by name, labels left out. Raises UserError."""
    arrays = {name: array for name, array in _read(path).items() if name not in LABEL_NAMES}
    if not arrays or (not scalars and any(array.ndim == 0 for array in arrays.values())):
        raise UserError(f"{path}: no tensors in it", _FORM)
    return arrays


def write_evaluation(inputs: Arrays, targets: npt.NDArray[Any], scratch: Path) -> EvaluationSet:
    """The evaluation set as it travels: an .npz without pickled objects in ``scratch``."""
    path = scratch / "inputs.npz"
    number = 1
    while path.exists():
        number += 1
        path = scratch / f"inputs-{number}.npz"
    np.savez(path, allow_pickle=False, **inputs)
    count = max(len(array) for array in inputs.values() if array.ndim)
    return EvaluationSet(path, digest_file(path), targets, count)


def _read(path: Path) -> Arrays:
    try:
        with np.load(path, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise UserError(f"{path}: a single array, not an .npz", _FORM)
            return {name: file[name] for name in file.files}
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file", "check the path") from error
    except UserError:
        raise
    except Exception as error:  # zipfile, zlib, header parsing: numpy raises what it meets
        raise UserError(f"{path}: not an .npz of plain arrays ({error})", _FORM) from error
