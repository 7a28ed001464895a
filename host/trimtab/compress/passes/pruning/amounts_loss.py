"""What a model loses when a part of it is pruned, before any training makes up for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trimtab.compress.cache import arrays_digest
from trimtab.compress.passes.base import PassRejected
from trimtab.compress.passes.quantization.calibration import calibration_data
from trimtab.compress.passes.quantization.sensitivity import fidelity
from trimtab.compress.validation import outputs_of, validation_score
from trimtab.task import Task

if TYPE_CHECKING:
    from torch import nn

_SAMPLES = 256
_BATCH = 64


@dataclass(frozen=True)
class Loss:
    """``of``: 0 is none, more is worse; what is better than the whole model is below 0."""

    of: Callable[[nn.Module], float]
    described: str


def loss_digest(task: Task) -> str:
    """Of the data that layers are judged on."""
    if task.provides("validation_data"):
        inputs, targets = task.validation
        return arrays_digest((*inputs, targets))
    if task.calibration_source is None:
        return ""
    return arrays_digest(task.calibration(_SAMPLES))


def loss_of(model: nn.Module, task: Task) -> Loss:
    """Raises PassRejected where the task has no data to judge on."""
    if task.provides("validation_data"):
        whole = validation_score(model, task)
        return Loss(
            lambda pruned: whole - validation_score(pruned, task),
            f"loss of the score on validation_data(), {whole:.4g} before",
        )
    if task.calibration_source is None:
        raise PassRejected(
            f"what layers lose is judged on {task.lacks('validation_data')}; "
            "calibration_data() would do as well: add one of them"
        )
    return _against_outputs(model, task)


def _against_outputs(model: nn.Module, task: Task) -> Loss:
    """The share of answers that are others; the noise-to-signal ratio where there are no scores."""
    data = calibration_data(task, _SAMPLES, "task")
    samples = tuple(data.samples.values())
    reference = outputs_of(model, samples, _BATCH)
    gives_answers = fidelity(reference, reference).changed is not None

    def lost(pruned: nn.Module) -> float:
        found = fidelity(outputs_of(pruned, samples, _BATCH), reference)
        if found.changed is not None:
            return found.changed
        return float(10 ** (-found.sqnr_db / 10))

    what = "share of answers changed" if gives_answers else "noise-to-signal ratio of the outputs"
    return Loss(lost, f"{what} on {data.origin}")
