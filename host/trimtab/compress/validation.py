"""How good a model is on data that no training saw and no result is reported on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trimtab.task import Arrays, Task, as_arrays, as_tensors

if TYPE_CHECKING:
    from torch import nn

_BATCH = 256


def validation_score(model: nn.Module, task: Task) -> float:
    """The task's metric, else top-1 accuracy as a share, over its validation_data.

    Higher is better. The model's mode is as it was afterwards. Raises UserError without such data.
    """
    import torch

    inputs, targets = task.validation
    was_training = model.training
    model.eval()
    outputs = []
    with torch.no_grad():
        for start in range(0, len(targets), _BATCH):
            batch = as_tensors(tuple(each[start : start + _BATCH] for each in inputs))
            outputs.append(as_arrays(model(*batch)))
    model.train(was_training)
    return score_of(tuple(np.concatenate(each) for each in zip(*outputs, strict=True)), task)


def score_of(joined: Arrays, task: Task) -> float:
    """As ``validation_score``, of outputs for the inputs of validation_data."""
    _, targets = task.validation
    if task.metric is not None:
        return task.metric(joined if len(joined) > 1 else joined[0], targets)
    return float(np.mean(joined[0].argmax(axis=-1) == targets))
