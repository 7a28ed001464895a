"""Answers of a file in its own runtime on the test data, and what they lose to another's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from trimtab.export import load_exporter
from trimtab.task import Task

from benchkit.paired_accuracy import Right


def right_answers(path: Path, model_format: str, task: Task) -> Right:
    """Of the whole evaluation set, in its order."""
    inputs, targets = task.evaluation
    named = dict(zip(task.input_names, inputs, strict=True))
    outputs = load_exporter(model_format).run(path, named)[0]
    right: Right = outputs.argmax(axis=-1) == targets
    return right


def packed(right: Right) -> str:
    return np.packbits(right).tobytes().hex()


def unpacked(text: str, count: int) -> Right:
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(text), np.uint8), count=count)
    return bits.astype(bool)
