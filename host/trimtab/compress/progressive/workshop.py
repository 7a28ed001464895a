"""What a pipeline asks for, and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from trimtab.project import PassStep

Steps = tuple[PassStep, ...]


class CannotBeMade(Exception):
    """What the steps ask for; the text is the reason."""


class Workshop(Protocol):
    """Makes what steps ask for and looks at it. Both methods raise CannotBeMade."""

    def figure(self, steps: Sequence[PassStep]) -> float:
        """Of the target's metric."""

    def score(self, steps: Sequence[PassStep]) -> float:
        """On the task's validation_data(); higher is better."""


@dataclass(frozen=True)
class Attempt:
    """A model that was trained on the way. ``label`` names it among the pipeline's.

    ``seen``: its figure, and what it lost of the float model's score; ``decision``: what became of
    it, and why.
    """

    label: str
    steps: Steps
    seen: str
    decision: str

    def __str__(self) -> str:
        return f"{self.label}: {self.seen}: {self.decision}"


@dataclass(frozen=True)
class Outcome:
    """``final``: the steps to take; None: not even a nearest one is within the accuracy.

    ``attempts``: on the way to it, and turned back. ``verdict``: whether the target is reached.
    """

    final: Steps | None
    reached: bool
    verdict: str
    attempts: tuple[Attempt, ...]
