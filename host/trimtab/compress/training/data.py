"""The task's training data: one epoch read for what it is, and epochs gone through again alike."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType
from typing import Any

from trimtab.compress.cache import hash_arrays
from trimtab.compress.passes.base import PassRejected
from trimtab.compress.training.randomness import RandomStream
from trimtab.task import Task, as_arrays, as_tensors, seed_everything
from trimtab.task.calling import user_code

_DECIDING = ("loss", "metric", "fit")


@dataclass(frozen=True)
class TrainingData:
    """What one epoch of a task's train_data holds.

    ``digest`` is of all that a training depends on: its inputs and targets, those of
    validation_data, and the code of the task's own loss(), metric() and fit().
    """

    digest: str
    batches: int
    samples: int


@lru_cache(maxsize=1)
def training_data(task: Task) -> TrainingData:
    """Reads one epoch. Raises UserError where the task has no train_data or it fails."""
    hasher = hashlib.sha256()
    batches = samples = 0
    for inputs, targets in epoch_batches(task, task.seed):
        hash_arrays(hasher, (*as_arrays(inputs), *as_arrays(targets)))
        batches += 1
        samples += len(as_tensors(inputs)[0])
    if not batches:
        raise PassRejected("train_data() gives no batch; give at least one")
    if task.provides("validation_data"):
        inputs, targets = task.validation
        hasher.update(b"validation")
        hash_arrays(hasher, (*inputs, targets))
    for name in _DECIDING:
        code = getattr(task.function(name), "__code__", None)
        hasher.update(f"{name} {_of_code(code) if code else ''}".encode())
    return TrainingData(hasher.hexdigest(), batches, samples)


def epoch_batches(task: Task, seed: int, skipped: int = 0) -> Iterator[tuple[Any, Any]]:
    """One epoch; each has its own ``seed``, so that shuffling and augmentation differ between them.

    Its random numbers are its own: after ``skipped`` batches come those that came there before,
    whatever was drawn in between. Raises UserError, PassRejected.
    """
    stream = RandomStream(seed)
    with stream:
        batches = iter(task.train_batches())
        seed_everything(seed)
    number = 0
    while True:
        with stream, user_code(task.path, "train_data()"):
            batch = next(batches, None)
            if batch is None:
                return
            inputs, targets = batch
        number += 1
        if number > skipped:
            yield inputs, targets


def _of_code(code: CodeType) -> str:
    """The same for the same code in every process: no address, and no set's order."""
    constants = [_of_constant(each) for each in code.co_consts]
    return f"{code.co_code.hex()} {code.co_names} {constants}"


def _of_constant(value: object) -> str:
    if isinstance(value, CodeType):
        return _of_code(value)
    if isinstance(value, frozenset):
        return str(sorted(map(repr, value)))
    return repr(value)
