"""How good a model is on data that no training saw and no result is reported on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from trimtab.task import Arrays, Task, as_arrays, as_tensors

if TYPE_CHECKING:
    from torch import nn

_BATCH = 256


def validation_score(model: nn.Module, task: Task) -> float:
    """The task's metric, else top-1 accuracy as a share, over its validation_data.

    Higher is better. Runs where the model is; the mode of each of its modules is as it was
    afterwards. Raises UserError without such data.
    """
    inputs, _ = task.validation
    with _in_eval_mode(model):
        return score_of(outputs_of(model, inputs, _BATCH), task)


def outputs_of(model: nn.Module, inputs: Arrays, batch_size: int) -> Arrays:
    """In the mode it is in, where it is, without gradients."""
    import torch

    here = next(model.parameters(), torch.empty(0)).device
    outputs = []
    with torch.no_grad():
        for start in range(0, len(inputs[0]), batch_size):
            batch = as_tensors(tuple(each[start : start + batch_size] for each in inputs))
            outputs.append(as_arrays(model(*(each.to(here) for each in batch))))
    return tuple(np.concatenate(each) for each in zip(*outputs, strict=True))


def score_of(joined: Arrays, task: Task) -> float:
    """As ``validation_score``, of outputs for the inputs of validation_data."""
    _, targets = task.validation
    if task.metric is not None:
        return task.metric(joined if len(joined) > 1 else joined[0], targets)
    return float(np.mean(joined[0].argmax(axis=-1) == targets))


@contextmanager
def _in_eval_mode(model: nn.Module) -> Iterator[None]:
    modes = {module: module.training for module in model.modules()}
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        # An exported graph changes its form here; the modules' own modes may differ from it.
        model.train(was_training)
        for module, mode in modes.items():
            module.training = mode
