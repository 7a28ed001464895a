"""Whether an artifact computes what the model computes: both on the same real samples."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from trimtab.task import Arrays, NamedArrays, Task, as_arrays, joined_runs, single_samples

if TYPE_CHECKING:
    from torch import nn

Array = npt.NDArray[Any]
SAMPLE_COUNT = 32
# Of the largest output: float32 through two runtimes differs by about 1e-6 of it.
FLOAT_TOLERANCE = 1e-3
# Integer kernels round at other places than the fake-quantized graph: a second noise, which layers
# amplify as they do that of quantizing itself, and which right files had less of (ResNet-20: 32 dB
# beside 28; digits: 53 beside 24). So a file may be as far from its model as that is from the float
# one, or at 20 dB, a tenth of the outputs' spread; never below 10 dB: wrong files are near 0.
QUANTIZED_TOLERANCE_DB = (10.0, 20.0)


@dataclass(frozen=True)
class Reference:
    """Samples by input name, and the outputs of the model, or of the float file, for them.

    ``float_outputs``: the task's float model's, where the model is a quantized one.
    """

    inputs: NamedArrays
    outputs: Arrays
    float_outputs: Arrays | None = None
    owner: str = "the torch model"
    samples_are: str = "samples"


@dataclass(frozen=True)
class Comparison:
    """``agreement``: share of samples with the same largest output; None: no scores to compare.

    ``sqnr_db``: power of the model's outputs about their mean over that of the difference.
    ``with_float``, ``needed_sqnr_db``: of a quantized model's file, beside the float model.
    """

    sample_count: int
    max_difference: float
    largest_output: float
    sqnr_db: float
    agreement: float | None
    with_float: Comparison | None = None
    needed_sqnr_db: float | None = None
    owner: str = "the torch model"
    samples_are: str = "samples"

    @property
    def within_tolerance(self) -> bool:
        if self.needed_sqnr_db is not None:
            return self.sqnr_db >= self.needed_sqnr_db
        return self.max_difference <= FLOAT_TOLERANCE * max(1.0, self.largest_output)

    def __str__(self) -> str:
        samples = f"on {self.sample_count} {self.samples_are}"
        if self.with_float is None:
            return f"{samples} {self._differ(self.owner, '')}"
        return (
            f"{samples} {self._differ('the fake-quantized model', self._sqnr)}; "
            f"{self.with_float._differ('the float model', self.with_float._sqnr)}"
        )

    @property
    def _sqnr(self) -> str:
        needed = (
            "" if self.needed_sqnr_db is None else f", at least {self.needed_sqnr_db:.1f} asked"
        )
        return f", SQNR {self.sqnr_db:.1f} dB{needed}"

    def _differ(self, other: str, more: str) -> str:
        text = (
            f"the outputs differ from {other}'s by at most "
            f"{self.max_difference:.2g} (largest output {self.largest_output:.3g}{more})"
        )
        if self.agreement is None:
            return text
        return f"{text}, same answer on {self.agreement:.1%}"


def is_quantized(model: nn.Module) -> bool:
    from trimtab.compress.quantized_model import QuantizedModel

    return isinstance(model, QuantizedModel)


def reference_outputs(model: nn.Module, task: Task) -> Reference:
    """The model's outputs on up to 32 real samples, one at a time."""
    inputs = dict(zip(task.input_names, task.samples(SAMPLE_COUNT), strict=True))
    float_outputs = _outputs(task.model, inputs) if is_quantized(model) else None
    return Reference(inputs, _outputs(model, inputs), float_outputs)


def _outputs(model: nn.Module, inputs: NamedArrays) -> Arrays:
    import torch

    with torch.inference_mode():
        outputs = [
            as_arrays(model(*(torch.from_numpy(array) for array in sample.values())))
            for sample in single_samples(inputs)
        ]
    return joined_runs(outputs)


def compare(outputs: Arrays, reference: Reference) -> Comparison:
    """Raises ValueError where number or shape of the outputs differ, or one is not finite."""
    shapes = [array.shape for array in outputs]
    wanted = [array.shape for array in reference.outputs]
    if shapes != wanted:
        raise ValueError(f"the outputs have shapes {shapes}, the model's have {wanted}")
    if not all(np.isfinite(array.astype(np.float64)).all() for array in outputs):
        raise ValueError("an output is NaN or infinite")
    comparison = replace(
        _compared(outputs, reference.outputs),
        owner=reference.owner,
        samples_are=reference.samples_are,
    )
    if reference.float_outputs is None:
        return comparison
    quantizing = _compared(reference.outputs, reference.float_outputs)
    return replace(
        comparison,
        with_float=_compared(outputs, reference.float_outputs),
        needed_sqnr_db=float(np.clip(quantizing.sqnr_db, *QUANTIZED_TOLERANCE_DB)),
    )


def _compared(outputs: Arrays, wanted: Arrays) -> Comparison:
    pairs = [
        (ours.astype(np.float64), theirs.astype(np.float64))
        for ours, theirs in zip(outputs, wanted, strict=True)
    ]
    return Comparison(
        sample_count=len(wanted[0]),
        max_difference=max(float(np.abs(ours - theirs).max(initial=0)) for ours, theirs in pairs),
        largest_output=max(float(np.abs(theirs).max(initial=0)) for _, theirs in pairs),
        sqnr_db=min(_sqnr_db(ours, theirs) for ours, theirs in pairs),
        agreement=_agreement(*pairs[0]) if len(pairs) == 1 else None,
    )


def _sqnr_db(ours: Array, theirs: Array) -> float:
    if not theirs.size or np.array_equal(ours, theirs):
        return float("inf")
    # A single value has no spread; then its own power is what there is to compare with.
    signal = float(np.var(theirs)) or float(np.mean(theirs**2))
    return 10 * float(np.log10(signal / np.mean((ours - theirs) ** 2))) if signal else -np.inf


def _agreement(ours: Array, theirs: Array) -> float | None:
    if ours.ndim < 2 or ours.shape[-1] < 2:
        return None
    return float(np.mean(ours.argmax(axis=-1) == theirs.argmax(axis=-1)))
