"""The Power Profiler Kit II's bytes as current: one little-endian word of 32 bits every 10 µs.

Bits 0 to 13 are the converter's value (a quarter of it), 14 to 16 the measuring range, 18 to 23 a
counter of the samples, 24 to 31 the logic inputs (Nordic's pc-nrfconnect-ppk, ``serialDevice.ts``).
The counter shows what was lost. How a value becomes a current is the formula of ``ppk2_api``'s
``get_adc_result`` with the modifiers of the instrument, over whole blocks: that function itself
takes one sample at a time, which is most of a small board's processor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

SAMPLE_S = 10e-6
_WORD = 4
_COUNTERS = 64
_RANGES = 5
_SETTLING = 3  # samples after a change of range that Nordic's software does not take as they are
_MOST_BREAKS = 1 / 8  # of the samples: more are no gaps, but bytes that are not samples
_Floats = npt.NDArray[np.float64]


class NotSamples(Exception):
    """What came are no samples, however they are cut into words."""


@dataclass(frozen=True)
class Block:
    """``charge_c``: coulombs of all samples, the lost and the unsettled ones between their
    neighbours on a straight line; ``lost`` of ``count``."""

    charge_c: float
    count: int
    lost: int


@dataclass
class Decoder:
    """``modifiers``, ``adc_mult``: those of ``PPK2_API``; ``volts``: of the supply, for them."""

    modifiers: Mapping[str, Any]
    adc_mult: float
    volts: float
    _rest: bytes = b""
    _counter: int | None = None
    _range: int | None = None
    _amperes: float = 0.0
    _unsettled: int = 0
    _tables: dict[str, _Floats] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("R", "GS", "GI", "O", "S", "I", "UG"):
            values = [float(self.modifiers[name][str(each)]) for each in range(_RANGES)]
            self._tables[name] = np.array(values)

    def decode(self, data: bytes) -> Block | None:
        """None where not one whole sample has come; raises NotSamples."""
        words = self._words(self._rest + data)
        if words.size == 0:
            return None
        counters = words >> 18 & 0x3F
        before = int(counters[0]) - 1 if self._counter is None else self._counter
        missing = (np.diff(counters, prepend=before) - 1) % _COUNTERS
        ranges = np.minimum(words >> 14 & 0x7, _RANGES - 1)
        amperes = self._current(ranges, (words & 0x3FFF).astype(np.float64) * 4)
        block = self._integrate(amperes, missing, self._settled(ranges))
        self._counter, self._range = int(counters[-1]), int(ranges[-1])
        return block

    def _words(self, data: bytes) -> npt.NDArray[np.int64]:
        """Cut where the counters run on: a lost byte moves every word after it."""
        for shift in range(_WORD):
            whole = (len(data) - shift) // _WORD * _WORD
            words = np.frombuffer(data, "<u4", max(whole, 0) // _WORD, shift).astype(np.int64)
            steps = np.diff(words >> 18 & 0x3F) % _COUNTERS
            if np.count_nonzero(steps != 1) <= max(1, steps.size * _MOST_BREAKS):
                self._rest = data[shift + whole :]
                return words
        raise NotSamples

    def _current(self, ranges: npt.NDArray[np.int64], adc: _Floats) -> _Floats:
        of = {name: table[ranges] for name, table in self._tables.items()}
        plain = (adc - of["O"]) * (self.adc_mult / of["R"])
        curve = plain * (of["GS"] * plain + of["GI"])
        amperes: _Floats = of["UG"] * (curve + of["S"] * self.volts + of["I"])
        return amperes

    def _settled(self, ranges: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Not the first samples after a change of range, whose input still swings."""
        before = int(ranges[0]) if self._range is None else self._range
        changed = np.diff(ranges, prepend=before) != 0
        unsettled = changed.copy()
        for later in range(1, _SETTLING):
            unsettled[later:] |= changed[:-later]
        unsettled[: self._unsettled] = True
        recent = np.flatnonzero(changed[-_SETTLING:])
        since = _SETTLING if recent.size == 0 else min(changed.size, _SETTLING) - int(recent[-1])
        self._unsettled = max(_SETTLING - since, self._unsettled - changed.size, 0)
        settled: npt.NDArray[np.bool_] = ~unsettled
        return settled

    def _integrate(
        self, amperes: _Floats, missing: npt.NDArray[np.int64], settled: npt.NDArray[np.bool_]
    ) -> Block:
        places = np.arange(amperes.size) + np.cumsum(missing)
        count = int(places[-1]) + 1
        if not settled.any():
            return Block(self._amperes * count * SAMPLE_S, count, int(missing.sum()))
        known, values = places[settled], amperes[settled]
        if self._counter is not None:
            known, values = np.append(-1, known), np.append(self._amperes, values)
        filled = np.interp(np.arange(count), known, values)
        self._amperes = float(values[-1])
        return Block(float(filled.sum()) * SAMPLE_S, count, int(missing.sum()))
