"""Whether an artifact computes what the model computes: both on the same real samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from trimtab.task import Arrays, NamedArrays, Task, as_arrays, joined_runs, single_samples

if TYPE_CHECKING:
    from torch import nn

SAMPLE_COUNT = 32
# Of the largest output: float32 through two runtimes differs by about 1e-6 of it.
FLOAT_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Reference:
    """Samples by input name, and the outputs of the model, or of the float file, for them."""

    inputs: NamedArrays
    outputs: Arrays
    owner: str = "the torch model"
    samples_are: str = "samples"

    @property
    def sample_count(self) -> int:
        return len(self.outputs[0])


@dataclass(frozen=True)
class Comparison:
    """``agreement``: share of samples with the same largest output; None: no scores to compare."""

    sample_count: int
    max_difference: float
    largest_output: float
    agreement: float | None
    owner: str = "the torch model"
    samples_are: str = "samples"

    @property
    def within_float_tolerance(self) -> bool:
        return self.max_difference <= FLOAT_TOLERANCE * max(1.0, self.largest_output)

    def __str__(self) -> str:
        text = (
            f"on {self.sample_count} {self.samples_are} the outputs differ from {self.owner}'s "
            f"by at most "
            f"{self.max_difference:.2g} (largest output {self.largest_output:.3g})"
        )
        if self.agreement is None:
            return text
        return f"{text}, same answer on {self.agreement:.1%}"


def reference_outputs(model: nn.Module, task: Task) -> Reference:
    """The model's outputs on up to 32 real samples, one at a time."""
    import torch

    inputs = dict(zip(task.input_names, task.samples(SAMPLE_COUNT), strict=True))
    with torch.inference_mode():
        outputs = [
            as_arrays(model(*(torch.from_numpy(array) for array in sample.values())))
            for sample in single_samples(inputs)
        ]
    return Reference(inputs, joined_runs(outputs))


def compare(outputs: Arrays, reference: Reference) -> Comparison:
    """Raises ValueError where number or shape of the outputs differ, or one is not finite."""
    shapes = [array.shape for array in outputs]
    wanted = [array.shape for array in reference.outputs]
    if shapes != wanted:
        raise ValueError(f"the outputs have shapes {shapes}, the model's have {wanted}")
    if not all(np.isfinite(array.astype(np.float64)).all() for array in outputs):
        raise ValueError("an output is NaN or infinite")
    pairs = list(zip(outputs, reference.outputs, strict=True))
    return Comparison(
        sample_count=reference.sample_count,
        max_difference=max(_difference(ours, theirs) for ours, theirs in pairs),
        largest_output=max(float(np.abs(theirs).max(initial=0)) for _, theirs in pairs),
        agreement=_agreement(*pairs[0]) if len(pairs) == 1 else None,
        owner=reference.owner,
        samples_are=reference.samples_are,
    )


def _difference(ours: npt.NDArray[Any], theirs: npt.NDArray[Any]) -> float:
    return float(np.abs(ours.astype(np.float64) - theirs.astype(np.float64)).max(initial=0))


def _agreement(ours: npt.NDArray[Any], theirs: npt.NDArray[Any]) -> float | None:
    if ours.ndim < 2 or ours.shape[-1] < 2:
        return None
    return float(np.mean(ours.argmax(axis=-1) == theirs.argmax(axis=-1)))
