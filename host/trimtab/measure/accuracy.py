"""Accuracy from the outputs that came back from the device, never from the model on the host."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trimtab.measure.stats import Interval

Array = npt.NDArray[Any]
Outputs = Mapping[str, Array]
BoolArray = npt.NDArray[np.bool_]
ClassArray = npt.NDArray[np.int64]
MetricFunction = Callable[[Any, Any], float]
"""(outputs, targets) -> figure, higher is better; outputs are a tuple where there are several."""

Z95 = 1.959963984540054
_NO_CLASS = -1


class CannotScore(Exception):
    """The outputs do not allow the figure; the text is the reason that is shown."""


def load_outputs(path: Path) -> Outputs:
    """Raises CannotScore where the file is not an .npz of plain arrays."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except Exception as error:  # zipfile, zlib, header parsing: numpy raises what it meets
        raise CannotScore(f"the outputs from the device cannot be read: {error}") from error


def predicted_classes(outputs: Outputs) -> ClassArray:
    """The class of each sample: of scores the highest, of integers they themselves.

    A sample with a NaN among its scores has no class (-1) and is never right. Raises CannotScore
    for several outputs, or more than one axis of scores.
    """
    if len(outputs) != 1:
        names = ", ".join(outputs) or "none"
        raise CannotScore(f"top-1 accuracy needs one output, the model has {names}: give a metric")
    name, scores = next(iter(outputs.items()))
    flat = np.atleast_1d(np.squeeze(scores, axis=_singletons(scores)))
    if flat.ndim == 1 and np.issubdtype(flat.dtype, np.integer):
        return np.asarray(flat, dtype=np.int64)
    if flat.ndim != 2:
        raise CannotScore(
            f"top-1 accuracy needs one score a class, output {name} has shape {scores.shape}: "
            "give a metric"
        )
    classes: ClassArray = flat.argmax(axis=1).astype(np.int64)
    if np.issubdtype(flat.dtype, np.floating):
        classes[np.isnan(flat).any(axis=1)] = _NO_CLASS
    return classes


def correct(outputs: Outputs, targets: Array) -> BoolArray:
    """Whether each sample's class is its target. Raises CannotScore where the counts differ."""
    classes = predicted_classes(outputs)
    if targets.shape != classes.shape:
        raise CannotScore(
            f"the device returned {len(classes)} outputs for targets of shape {targets.shape}"
        )
    return np.asarray(classes == targets, dtype=np.bool_)


def custom_score(outputs: Outputs, targets: Array, metric: MetricFunction) -> float:
    """The task's own metric. Raises CannotScore where it fails or gives no finite number."""
    arrays = tuple(outputs.values())
    try:
        score = float(metric(arrays[0] if len(arrays) == 1 else arrays, targets))
    except Exception as error:  # the user's own code
        raise CannotScore(f"the task's metric failed: {type(error).__name__}: {error}") from error
    if not math.isfinite(score):
        raise CannotScore(f"the task's metric returned {score}")
    return score


def wilson_interval(successes: float, count: float) -> Interval:
    """95 % interval of a proportion (Wilson, 1927); ``count`` may be an effective sample size."""
    share = successes / count
    shrink = 1 + Z95**2 / count
    centre = (share + Z95**2 / (2 * count)) / shrink
    reach = Z95 * math.sqrt(share * (1 - share) / count + Z95**2 / (4 * count**2)) / shrink
    return max(0.0, min(share, centre - reach)), min(1.0, max(share, centre + reach))


def paired_drop_interval(reference: BoolArray, variant: BoolArray) -> Interval:
    """95 % interval of reference minus variant on the same samples."""
    lost, won = _discordant(reference, variant)
    return drop_interval(lost, won, len(reference))


def drop_interval(lost: int, won: int, samples: int, z: float = Z95) -> Interval:
    """Interval of the share lost minus the share won; 95 % unless ``z`` says otherwise.

    Adjusted Wald interval for matched proportions (Agresti and Min, 2005): half a sample is added
    to each of the four cells.
    """
    count = samples + 2
    centre = (lost - won) / count
    reach = z * math.sqrt(max(0.0, lost + won + 1 - (lost - won) ** 2 / count)) / count
    return max(-1.0, centre - reach), min(1.0, centre + reach)


def paired_retention_interval(reference: BoolArray, variant: BoolArray) -> Interval:
    """95 % interval of variant over reference on the same samples.

    Delta method on the logarithm of a ratio of matched proportions, half a sample added to each
    cell of the table so that equal predictions do not give an interval of no width.
    """
    lost, won = _discordant(reference, variant)
    right_reference = int(reference.sum()) + 1
    right_variant = int(variant.sum()) + 1
    centre = math.log(right_variant / right_reference)
    reach = Z95 * math.sqrt((lost + won + 1) / (right_reference * right_variant))
    return math.exp(centre - reach), math.exp(centre + reach)


def _discordant(reference: BoolArray, variant: BoolArray) -> tuple[int, int]:
    """How many samples only the reference, and only the variant, has right."""
    return int((reference & ~variant).sum()), int((~reference & variant).sum())


def _singletons(scores: Array) -> tuple[int, ...]:
    """Axes of length one, but the first: it counts the samples."""
    return tuple(axis for axis, length in enumerate(scores.shape) if axis > 0 and length == 1)
