"""An accuracy pass's outputs in parts: those of the clean samples, and of each corrupted copy.

They are taken apart as soon as they have come back, so that whatever compares outputs sees the
clean ones alone.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from trimtab_protos.errors import Failure

from trimtab.measure.accuracy import CannotScore, Outputs, load_outputs
from trimtab.records import CorruptedCopies, EvaluationSet, RawArm


@dataclass(frozen=True)
class Segmented:
    """``raw`` has the outputs of the clean samples; ``corrupted``: a file a corruption."""

    raw: RawArm
    corrupted: Mapping[str, Path] = field(default_factory=dict)


def segmented(raw: RawArm, evaluation: EvaluationSet | None) -> Segmented:
    """Without corrupted copies, or outputs, the arm as it is."""
    path = raw.evaluation_outputs
    if path is None or evaluation is None or evaluation.corrupted is None:
        return Segmented(raw)
    copies, clean = evaluation.corrupted, evaluation.sample_count
    try:
        outputs = load_outputs(path)
        _check_counts(outputs, clean + len(copies.names) * len(copies.samples))
    except CannotScore as reason:
        failure = Failure("device", str(reason))
        return Segmented(replace(raw, evaluation_outputs=None, evaluation_failure=failure))
    files = {
        name: _written(outputs, rows, path.with_name(f"{path.stem}-{number}.npz"))
        for number, (name, rows) in enumerate(_rows(copies, clean).items())
    }
    clean_file = _written(outputs, slice(0, clean), path.with_name(f"{path.stem}-clean.npz"))
    return Segmented(replace(raw, evaluation_outputs=clean_file), files)


def _rows(copies: CorruptedCopies, clean: int) -> dict[str, slice]:
    length = len(copies.samples)
    begins = {name: clean + index * length for index, name in enumerate(copies.names)}
    return {name: slice(begin, begin + length) for name, begin in begins.items()}


def _check_counts(outputs: Outputs, expected: int) -> None:
    for name, array in outputs.items():
        count = len(array) if array.ndim else 1
        if count != expected:
            raise CannotScore(
                f"the device returned {count} samples of {name}, {expected} were sent, "
                "those with corruptions included"
            )


def _written(outputs: Outputs, rows: slice, path: Path) -> Path:
    """Unlike numpy.savez it takes any name of an output."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in outputs.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                part = np.ascontiguousarray(array[rows])
                np.lib.format.write_array(member, part, allow_pickle=False)
    return path
