"""An energy that nobody measured, from a power model that the user supplied; pure.

The model is linear in the busy cores, as is common for processors at a fixed frequency (Economou
and others 2006, "Full-system power analysis and modeling for server environments"). It knows
nothing of frequencies, memory and accelerators; its error is not known, so there is no interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from trimtab.measure.energy.errors import NoEnergy
from trimtab.records import PowerModel, RawArm, RawRepeat

BUSY_CORES = "busy_cores"
_NS_PER_S = 1e9
_MJ_PER_J = 1e3


@dataclass(frozen=True)
class RepeatEstimate:
    """mJ an inference and watts; ``net``: the busy cores' part."""

    gross: float
    net: float
    power_w: float


def estimated_energy(raw: RawArm, model: PowerModel) -> tuple[RepeatEstimate, ...]:
    """Raises NoEnergy: how many cores were busy, or how long an inference took, is not known."""
    if not raw.repeats:
        raise NoEnergy("no repeat was measured")
    busy = _busy_cores(raw)
    return tuple(
        _estimate(model, cores, _seconds_each(repeat))
        for cores, repeat in zip(busy, raw.repeats, strict=True)
    )


def _estimate(model: PowerModel, cores: float, seconds: float) -> RepeatEstimate:
    busy_w = model.busy_core_w * cores
    power_w = model.idle_w + busy_w
    return RepeatEstimate(power_w * seconds * _MJ_PER_J, busy_w * seconds * _MJ_PER_J, power_w)


def _busy_cores(raw: RawArm) -> Sequence[float]:
    told = raw.conditions.get(BUSY_CORES)
    if told is None:
        raise NoEnergy("the device did not tell how many of its cores were busy")
    try:
        cores = [float(each) for each in told.split(",")]
    except ValueError:
        raise NoEnergy(f"how many cores were busy cannot be read: {told!r}") from None
    if len(cores) != len(raw.repeats):
        raise NoEnergy(f"busy cores were told of {len(cores)} repeats, not of {len(raw.repeats)}")
    if not all(math.isfinite(each) and each >= 0 for each in cores):
        raise NoEnergy(f"how many cores were busy cannot be: {told!r}")
    return cores


def _seconds_each(repeat: RawRepeat) -> float:
    """From one inference to the next: by the window where there is one, else by the samples."""
    windows = [each for each in repeat.windows if each.phase == "measure"]
    count = sum(each.inference_count for each in windows)
    if count > 0:
        spans = (each.end_offset_ns - each.begin_offset_ns for each in windows)
        return sum(spans) / _NS_PER_S / count
    starts = repeat.start_offset_ns
    if len(starts) < 2:
        raise NoEnergy(f"repeat {repeat.index + 1} has {len(starts)} timed inferences")
    return float(starts[-1] - starts[0]) / _NS_PER_S / (len(starts) - 1)
