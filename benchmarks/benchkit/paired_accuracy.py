"""Two files on the same images, of one network or of several together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from trimtab.measure.accuracy import paired_drop_interval

Right = npt.NDArray[np.bool_]
_Z95 = 1.959964


@dataclass(frozen=True)
class Difference:
    """In points of accuracy, with a 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:+.2f} [{self.low:+.2f}, {self.high:+.2f}]"


def difference(ours: Sequence[Right], theirs: Sequence[Right]) -> Difference:
    """Ours minus theirs; one array a network, whether each image was read right.

    Of several networks the images are what was drawn: each counts with its mean over the networks.
    """
    value = 100 * float(np.mean(ours) - np.mean(theirs))
    if len(ours) == 1:
        low, high = paired_drop_interval(ours[0], theirs[0])
        return Difference(value, 100 * low, 100 * high)
    by_image = np.mean(ours, axis=0) - np.mean(theirs, axis=0)
    reach = 100 * _Z95 * float(np.std(by_image, ddof=1)) / np.sqrt(len(by_image))
    return Difference(value, value - reach, value + reach)
