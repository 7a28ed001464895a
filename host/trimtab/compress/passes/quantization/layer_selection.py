"""The largest set of quantized layers that keeps the limit, found with few evaluations."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

Keys = frozenset[str]
# Giving back one layer after another costs an evaluation each; the dearest ones matter.
MOST_GIVEN_BACK = 24


@dataclass(frozen=True)
class Candidate:
    """``gain``: what quantizing the layer saves (bytes or ms); ``noise``: power it adds."""

    key: str
    noise: float
    gain: float


class NothingKeeps(Exception):
    """No set with a quantized layer keeps the limit."""


def select(
    candidates: Sequence[Candidate],
    keeps_limit: Callable[[Keys], bool],
    never: Collection[str] = (),
) -> Keys:
    """The layers that must not be int8. ``never``: those that are not to be, whatever they cost.

    Most noise for the least gain is kept first; how many are needed is found by bisection (more
    of them are taken to be no worse), and then each one, the dearest first, is given back where
    the limit still holds. Raises NothingKeeps.
    """
    open_ones = sorted(
        (each for each in candidates if each.key not in never), key=_noise_per_gain, reverse=True
    )
    if not open_ones:
        raise NothingKeeps
    forced = frozenset(never)
    kept = _bisect(open_ones, forced, keeps_limit)
    return _give_back(open_ones, kept, forced, keeps_limit)


def _noise_per_gain(candidate: Candidate) -> float:
    """A layer that saves nothing goes first, whatever its noise."""
    return candidate.noise / candidate.gain if candidate.gain > 0 else float("inf")


def _bisect(ranked: Sequence[Candidate], forced: Keys, keeps_limit: Callable[[Keys], bool]) -> Keys:
    def first(count: int) -> Keys:
        return forced | {each.key for each in ranked[:count]}

    if keeps_limit(first(0)):
        return first(0)
    too_few, enough = 0, len(ranked)
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if keeps_limit(first(middle)):
            enough = middle
        else:
            too_few = middle
    if enough == len(ranked):
        raise NothingKeeps
    return first(enough)


def _give_back(
    ranked: Sequence[Candidate],
    kept: Keys,
    forced: Keys,
    keeps_limit: Callable[[Keys], bool],
) -> Keys:
    gains: Mapping[str, float] = {each.key: each.gain for each in ranked}
    dearest = sorted(kept - forced, key=lambda key: (-gains[key], key))
    for key in dearest[:MOST_GIVEN_BACK]:
        if len(kept - forced) > 1 and keeps_limit(kept - {key}):
            kept -= {key}
    return kept
