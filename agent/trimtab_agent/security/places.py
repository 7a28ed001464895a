"""How many connections are taken: in all, from one address, and during the handshake."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True)
class PlaceLimits:
    total: int = 512
    per_address: int = 256
    shaking_hands: int = 64


class Places:
    def __init__(self, limits: PlaceLimits) -> None:
        self._limits = limits
        self._taken: Counter[str] = Counter()
        self.shaking_hands = 0

    def take(self, address: str) -> str:
        """ "" and a place is taken, else why there is none."""
        if self._taken.total() >= self._limits.total:
            return f"{self._limits.total} connections are open, the most this agent takes"
        if self._taken[address] >= self._limits.per_address:
            return f"{self._limits.per_address} connections are open from there, the most it takes"
        if self.shaking_hands >= self._limits.shaking_hands:
            return f"{self._limits.shaking_hands} others are at their handshakes"
        self._taken[address] += 1
        return ""

    def give_back(self, address: str) -> None:
        self._taken[address] -= 1
        if not self._taken[address]:
            del self._taken[address]
