"""What each layer costs when it alone is quantized, against the float file's own outputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trimtab.compress.passes.quantization.layers import Fallback, LayeredFile, Operator
from trimtab.compress.quiet import quiet
from trimtab.task import Arrays, NamedArrays

# The precision of float32 itself (24 bits): also what stands for no difference at all.
MOST_DB = 144.0
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Fidelity:
    """``changed``: the share of answers that are others; None: the outputs are no scores."""

    sqnr_db: float
    changed: float | None


@dataclass(frozen=True)
class Sensitivity:
    layer: Operator
    fidelity: Fidelity

    @property
    def noise(self) -> float:
        """Power, as a share of the signal's."""
        return float(10 ** (-self.fidelity.sqnr_db / 10))


class Judge:
    """Runs files in the real runtime and compares them with the float one."""

    def __init__(self, file: LayeredFile, inputs: NamedArrays) -> None:
        self._file = file
        self._inputs = inputs
        with quiet():
            self._reference = file.outputs(None, inputs)

    @property
    def gives_answers(self) -> bool:
        return fidelity(self._reference, self._reference).changed is not None

    def layer(self, layer: Operator) -> Fidelity:
        with quiet():
            return fidelity(
                self._file.outputs(self._file.alone(layer), self._inputs), self._reference
            )

    def kept(self, kept: tuple[Operator, ...], fallback: Fallback) -> Fidelity:
        with quiet():
            path = self._file.all_but(kept, fallback)
            return fidelity(self._file.outputs(path, self._inputs), self._reference)


def sensitivities(file: LayeredFile, judge: Judge, progress: Progress) -> tuple[Sensitivity, ...]:
    found = []
    for index, layer in enumerate(file.layers, start=1):
        progress(f"layer {index}/{len(file.layers)} alone in int8: {layer.name}")
        found.append(Sensitivity(layer, judge.layer(layer)))
    return tuple(found)


def fidelity(outputs: Arrays, reference: Arrays) -> Fidelity:
    """Of several outputs, the SQNR of the worst one."""
    pairs = list(zip(outputs, reference, strict=True))
    return Fidelity(
        sqnr_db=min(_sqnr_db(ours, theirs) for ours, theirs in pairs),
        changed=_changed(*pairs[0]) if len(pairs) == 1 else None,
    )


def _sqnr_db(ours: npt.NDArray[np.generic], theirs: npt.NDArray[np.generic]) -> float:
    signal = theirs.astype(np.float64)
    noise = ours.astype(np.float64) - signal
    if not np.isfinite(noise).all():
        return -MOST_DB
    signal_power, noise_power = float(np.sum(signal**2)), float(np.sum(noise**2))
    if noise_power == 0:
        return MOST_DB
    if signal_power == 0:
        return -MOST_DB
    return float(np.clip(10 * np.log10(signal_power / noise_power), -MOST_DB, MOST_DB))


def _changed(ours: npt.NDArray[np.generic], theirs: npt.NDArray[np.generic]) -> float | None:
    if theirs.ndim < 2 or theirs.shape[-1] < 2:
        return None
    return float(np.mean(ours.argmax(axis=-1) != theirs.argmax(axis=-1)))
