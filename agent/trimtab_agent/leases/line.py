"""The order in which those who wait come to the device: first asked, first served.

There are two kinds: who asks for a lease stays in line by asking again, who has jobs without one
by having them. Each has one place, and gets another at the end once it was served: so hosts take
turns whatever kind they are of and however many jobs one of them brings.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from trimtab_agent.leases.records import PATIENCE_NS, Ask


@dataclass(frozen=True)
class Place:
    """``ask`` None: of ``holder``'s jobs without a lease."""

    holder: str
    ask: Ask | None = None
    asked_ns: int = 0


class Line:
    def __init__(self) -> None:
        self._places: list[Place] = []

    def __iter__(self) -> Iterator[Place]:
        return iter(self._places)

    @property
    def first(self) -> Place | None:
        return self._places[0] if self._places else None

    def position(self, ask: Ask) -> int | None:
        """1: next. None: not in line."""
        return next(
            (index + 1 for index, place in enumerate(self._places) if place.ask == ask), None
        )

    def ask(self, ask: Ask, now_ns: int) -> int:
        """Keep the place, or take one at the end; returns the position."""
        position = self.position(ask)
        if position is None:
            self._places.append(Place(ask.holder, ask, now_ns))
            return len(self._places)
        self._places[position - 1] = replace(self._places[position - 1], asked_ns=now_ns)
        return position

    def leave(self, ask: Ask) -> None:
        self._places = [place for place in self._places if place.ask != ask]

    def seat(self, holders: Collection[str]) -> None:
        """These have jobs without a lease, and nobody else; the new ones in the order given."""
        seated = {place.holder for place in self._places if place.ask is None}
        self._places = [
            place for place in self._places if place.ask is not None or place.holder in holders
        ]
        self._places += [Place(holder) for holder in dict.fromkeys(holders) if holder not in seated]

    def drop_silent(self, now_ns: int) -> bool:
        """Whether somebody lost the place."""
        before = len(self._places)
        self._places = [
            place
            for place in self._places
            if place.ask is None or now_ns - place.asked_ns <= PATIENCE_NS
        ]
        return len(self._places) < before

    def asking(self) -> tuple[Place, ...]:
        """Those who wait for a lease."""
        return tuple(place for place in self._places if place.ask is not None)

    def next_silence_ns(self) -> int | None:
        """When the first of them would lose its place; None: nobody waits for a lease."""
        return min((place.asked_ns for place in self.asking()), default=None)
