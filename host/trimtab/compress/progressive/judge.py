"""Trains steps, looks at what became of them, and says whether they lost too much."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from trimtab.compress.progressive.recipe import Fixed, Turned
from trimtab.compress.progressive.workshop import Attempt, CannotBeMade, Steps, Workshop
from trimtab.project import Target

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Made:
    """``at``: of the last dial; ``marks`` tells the positions of all.

    Not ``kept``: it lost too much, or was not possible. ``seen``: what was, in a few words.
    """

    steps: Steps
    marks: str
    lost: float = 0.0
    kept: bool = True
    seen: str = ""
    at: float | None = None


def loss(lost: float) -> str:
    return f"{lost:.4f} lost" if lost >= 0 else f"{-lost:.4f} gained"


class Judge:
    def __init__(
        self,
        passes: Sequence[Fixed],
        target: Target,
        workshop: Workshop,
        say: Callable[[str], None],
    ) -> None:
        self._passes = passes
        self._target = target
        self._workshop = workshop
        self._say = say
        self._attempts: dict[str, Attempt] = {}

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        return tuple(self._attempts.values())

    def turned(self, each: Turned, at: float | None, before: Made, share: float) -> Made:
        """``share``: of the accuracy that may be lost altogether."""
        mark = "-off" if at is None else f"-{at:g}" if at else ""
        made = replace(before, marks=before.marks + mark, at=at)
        return made if at is None else self._look(each, each.at(at), made, share)

    def added(self, each: Fixed, before: Made, share: float) -> Made:
        return self._look(each, (each.step,), before, share)

    @cached_property
    def _float_score(self) -> float:
        return self._workshop.score(())

    def _look(self, each: Fixed, more: Steps, before: Made, share: float) -> Made:
        label = f"{each.place}-{each.step.use}{before.marks}"
        steps = (*before.steps, *more)
        try:
            figure = self._workshop.figure(steps)
            lost = self._float_score - self._workshop.score(steps)
        except CannotBeMade as error:
            self._say(f"{label}: {error}")
            return replace(before, steps=steps, kept=False, seen=f"{label}: {error}")
        kept, decision = self._judged(each, lost, share * self._target.max_accuracy_drop)
        seen = f"{self._target.metric} {figure:.4g}, {loss(lost)} on validation_data()"
        self._attempts[label] = Attempt(label, steps, seen, decision)
        self._say(str(self._attempts[label]))
        return replace(before, steps=steps, lost=lost, kept=kept, seen=f"{label}: {seen}")

    def _judged(self, each: Fixed, lost: float, allowance: float) -> tuple[bool, str]:
        """What is not trained is judged with the next that is."""
        behind = self._passes[each.place :]
        if not each.trains and any(e.trains and not isinstance(e, Turned) for e in behind):
            return True, "judged when what follows has trained it"
        kept = lost <= allowance + _ROUNDING
        return kept, f"{'kept' if kept else 'turned back'}, at most {allowance:.4g} may be"
