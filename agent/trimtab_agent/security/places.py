"""How many connections are taken: in all, from one address, and during the handshake."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class PlaceLimits:
    """Few handshakes for one address: whoever begins them and says nothing more would otherwise
    keep everybody out. A host that opens several connections at once still gets in."""

    total: int = 512
    per_address: int = 256
    shaking_hands: int = 64
    shaking_hands_per_address: int = 8


class Places:
    def __init__(self, limits: PlaceLimits) -> None:
        self._limits = limits
        self._taken: Counter[str] = Counter()
        self._shaking_hands: Counter[str] = Counter()

    def take(self, address: str) -> str:
        """ "" and a place is taken, and one at the handshakes; else why there is none."""
        why = self._why_none(address)
        if not why:
            self._taken[address] += 1
            self._shaking_hands[address] += 1
        return why

    @contextmanager
    def shaking_hands(self, address: str) -> Iterator[None]:
        """Around the handshake on a place that was taken."""
        try:
            yield
        finally:
            _take_one(self._shaking_hands, address)

    def give_back(self, address: str) -> None:
        _take_one(self._taken, address)

    def _why_none(self, address: str) -> str:
        limits = self._limits
        if self._taken.total() >= limits.total:
            return f"{limits.total} connections are open, the most this agent takes"
        if self._taken[address] >= limits.per_address:
            return f"{limits.per_address} connections are open from there, the most it takes"
        if self._shaking_hands.total() >= limits.shaking_hands:
            return f"{limits.shaking_hands} others are at their handshakes"
        if self._shaking_hands[address] >= limits.shaking_hands_per_address:
            most = limits.shaking_hands_per_address
            return f"{most} others from there are at their handshakes"
        return ""


def _take_one(counter: Counter[str], address: str) -> None:
    counter[address] -= 1
    if not counter[address]:
        del counter[address]
