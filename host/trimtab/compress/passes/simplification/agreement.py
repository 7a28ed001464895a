"""Whether a model still computes what it did."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor, nn

from trimtab.compress.passes.base import PassRejected
from trimtab.compress.passes.factorization.observation import run
from trimtab.compress.passes.quantization.calibration import calibration_data
from trimtab.task import Task, as_arrays, as_tensors

SAMPLES = 32
_TOLERANCE = 1e-4  # of the largest output: sums in another order, in float32
_TINY = 1e-6


class Reference:
    """A model's outputs on some samples, real ones where the task has any."""

    def __init__(self, model: nn.Module, task: Task) -> None:
        origin: Any = "task" if task.calibration_source else "random"
        samples = calibration_data(task, SAMPLES, origin).samples
        self.inputs: tuple[Tensor, ...] = as_tensors(dict(samples))
        self._wanted = as_arrays(run(model, self.inputs))

    def agrees(self, model: nn.Module) -> bool:
        """NaN never does."""
        outputs = as_arrays(run(model, self.inputs))
        return len(outputs) == len(self._wanted) and all(
            ours.shape == wanted.shape
            and bool(np.abs(ours - wanted).max() <= _TOLERANCE * np.abs(wanted).max() + _TINY)
            for ours, wanted in zip(outputs, self._wanted, strict=True)
        )


def runs(action: Callable[[], Any], without: str) -> Any:
    """Raises PassRejected where the model's code needs what was taken from it."""
    try:
        return action()
    except PassRejected:
        raise
    except Exception as error:  # whatever the user's forward raises
        kind = type(error).__name__
        raise PassRejected(
            f"the model's forward fails without {without} ({kind}: {str(error).splitlines()[0]}); "
            "name it in keep"
        ) from error
