"""Each pass as strong as the target needs and the accuracy allows, one after the other.

What a model's size and speed will be does not depend on what its weights have learnt: how far a
dial must be turned is found without training, with all that follows already in place. Then it is
trained there once, and judged. A step that loses too much is turned back; what is then missing is
left to the dials behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trimtab.compress.progressive.judge import Judge, Made, loss
from trimtab.compress.progressive.recipe import Fixed, Segment, Turned, segments, untrained
from trimtab.compress.progressive.search import Aim, strongest_kept, weakest_reaching
from trimtab.compress.progressive.workshop import (
    CannotBeMade,
    Outcome,
    Steps,
    Workshop,
)
from trimtab.project import Target

Say = Callable[[str], None]
_MOST_CORRECTIONS = 3
# Files are as large as they were predicted; a latency is never twice the same: what a second
# measurement finds within 5 % of the limit is aimed at nearer.
_LOWEST_SHARE, _LOWEST_SHARE_MEASURED = 0.95, 0.96
_HIGHEST_SHARE, _HIGHEST_SHARE_MEASURED = 1.0, 0.99
_ALIKE = 0.01
_ALIKE_MEASURED = 0.05
_POSITIONS_LOOKED_AT = 3
_HELPS = 0.99  # of the figure without a pass: what lowers it by less is not worth a loss


@dataclass(frozen=True)
class _Wanted:
    """``at`` None: left out. ``figure`` None: not known."""

    at: float | None
    figure: float | None


class _NothingFits(Exception):
    """What is asked cannot be turned back far enough; the text says what was seen."""


class Pipeline:
    def __init__(
        self, passes: Sequence[Fixed], target: Target, workshop: Workshop, say: Say
    ) -> None:
        self._passes = tuple(passes)
        self._segments = segments(passes)
        self._target = target
        self._workshop = workshop
        self._say = say
        self._judge = Judge(self._passes, target, workshop, say)
        self._short: list[str] = []
        self._helpful: list[Turned] = []
        self._refusals: set[str] = set()
        measured = target.on is not None
        low = _LOWEST_SHARE_MEASURED if measured else _LOWEST_SHARE
        high = _HIGHEST_SHARE_MEASURED if measured else _HIGHEST_SHARE
        self._low = low * target.limit
        self._aim = Aim(self._low, high * target.limit, is_jagged=measured)

    def run(self) -> Outcome:
        """Raises CannotBeMade where the float model itself cannot be."""
        figure = self._workshop.figure(())
        self._say(f"target {self._target}: the float model has {figure:.4g}")
        self._helpful = self._those_that_help()
        made = Made((), "")
        way: list[tuple[Made, float | None]] = []
        try:
            for segment in self._segments:
                before, made = made, self._settle(segment, made)
                way.append((before, made.at))
            if not made.steps:
                raise _NothingFits(f"the float model has {figure:.4g}, and no pass stayed in")
        except _NothingFits as error:
            verdict = f"target {self._target}: {error}"
            return Outcome(None, False, verdict, self._judge.attempts)
        self._weaker_points(way)
        return self._outcome(made)

    def _those_that_help(self) -> list[Turned]:
        dials = [each for each in self._passes if isinstance(each, Turned)]
        off = self._probed("untrained, with no dial turned", untrained(self._passes))
        return [each for each in dials if self._helps(each, off)]

    def _helps(self, turned: Turned, off: float | None) -> bool:
        """At its strongest; where that is not possible, at less."""
        before, behind = self._passes[: turned.place - 1], self._passes[turned.place :]
        for at in turned.falling(_POSITIONS_LOOKED_AT):
            steps = (*untrained(before), *turned.untrained_at(at), *untrained(behind))
            figure = self._probed(f"{turned.step.use} alone at {at:g}", steps)
            if figure is not None:
                if off is None or figure <= off * _HELPS:
                    return True
                self._short.append(f"{turned.step.use} does not lower {self._target.metric}")
                return False
        self._short.append(f"{turned.step.use} is not possible here")
        return False

    def _weaker_points(self, way: Sequence[tuple[Made, float | None]]) -> None:
        """Of the last dial that was turned, so that what each part of the way costs can be seen."""
        for index in reversed(range(len(way))):
            (before, at), (segment, *behind) = way[index], self._segments[index:]
            if segment.turned is not None and at != segment.turned.off and at is not None:
                for point in segment.turned.weaker(at, self._target.points):
                    made = self._train(segment, point, before, share=1.0)
                    for later in behind:
                        off = later.turned.off if later.turned else None
                        made = self._train(later, off, made, share=1.0) if made.kept else made
                return

    def _settle(self, segment: Segment, before: Made) -> Made:
        if segment.turned is None:
            return self._or_nothing(self._train(segment, None, before, share=1.0))
        kept: list[tuple[Made, float]] = []
        tried: list[float | None] = []
        aim = self._aim
        for _ in range(_MOST_CORRECTIONS + 1):
            wanted = self._needed(segment.turned, before, aim)
            if wanted.at in tried:
                break
            tried.append(wanted.at)
            reaches = wanted.figure is not None and wanted.figure <= aim.high
            made = self._train(segment, wanted.at, before, self._share(segment))
            if not made.kept:
                break
            figure = self._workshop.figure((*made.steps, *self._behind(segment)))
            kept.append((made, figure))
            if not reaches or wanted.figure is None:
                break
            if self._is_near(figure, wanted.figure, wanted.at == segment.turned.off):
                break
            # Half of what a measurement is off by may be its noise.
            self._say(f"{figure:.4g} where {wanted.figure:.4g} was expected: corrected")
            aim = aim.scaled((wanted.figure / figure) ** (0.5 if aim.is_jagged else 1.0))
        if kept:
            return min(kept, key=lambda each: self._distance(each[1]))[0]
        return self._turned_back(segment, segment.turned, before, tried[-1])

    def _needed(self, turned: Turned, before: Made, aim: Aim) -> _Wanted:
        """Found without training. Left out where the target is reached so, or nothing can be."""
        behind = untrained(self._passes[turned.place :])

        def figure(at: float | None) -> float | None:
            where = f"without {turned.step.use}" if at is None else f"{turned.step.use} at {at:g}"
            return self._probed(where, (*before.steps, *turned.untrained_at(at), *behind))

        off = figure(turned.off)
        if turned not in self._helpful or (off is not None and off <= aim.high):
            return _Wanted(turned.off, off)
        found = weakest_reaching(figure, turned.dial, aim, off, turned.rounded)
        if found is None:
            self._short.append(f"{turned.step.use} is not possible here")
            return _Wanted(turned.off, off)
        if found.figure is not None and found.figure > aim.high:
            strongest = f"{turned.step.use} at {found.at:g}, its strongest"
            self._short.append(f"{strongest}, gives {found.figure:.4g}")
        return _Wanted(found.at, found.figure)

    def _probed(self, where: str, steps: Steps) -> float | None:
        try:
            figure = self._workshop.figure(steps)
        except CannotBeMade as error:
            if str(error) not in self._refusals:
                self._refusals.add(str(error))
                self._say(f"{where}: {error}")
            return None
        self._say(f"{where}: {self._target.metric} {figure:.4g}")
        return figure

    def _train(self, segment: Segment, at: float | None, before: Made, share: float) -> Made:
        """Up to the step that loses more than that share of what may be lost."""
        made = before
        if segment.turned is not None:
            made = self._judge.turned(segment.turned, at, made, share)
        for each in segment.fixed:
            if made.kept:
                made = self._judge.added(each, made, share)
        return made

    def _turned_back(
        self, segment: Segment, turned: Turned, before: Made, too_strong: float | None
    ) -> Made:
        share = self._share(segment)
        kept: list[Made] = []

        def is_kept(at: float) -> bool:
            made = self._train(segment, at, before, share)
            kept.extend([made] if made.kept else [])
            return made.kept

        if too_strong is not None and too_strong != turned.off:
            self._short.append(f"{turned.step.use} at {too_strong:g} lost too much")
            strongest_kept(is_kept, turned.dial, too_strong, turned.rounded)
        if kept:
            return kept[-1]
        return self._or_nothing(self._train(segment, turned.off, before, share))

    def _or_nothing(self, made: Made) -> Made:
        if made.kept:
            return made
        raise _NothingFits(f"{made.seen}, at most {self._target.max_accuracy_drop:g} may be")

    def _share(self, segment: Segment) -> float:
        """Of what may be lost: as much for each dial that helps, so that some is left for the next.

        The last has all that is left.
        """
        if segment.turned not in self._helpful:
            return 1.0
        return (self._helpful.index(segment.turned) + 1) / len(self._helpful)

    def _behind(self, segment: Segment) -> Steps:
        last = segment.fixed[-1] if segment.fixed else segment.turned
        return untrained(self._passes[last.place :]) if last else ()

    def _is_near(self, figure: float, expected: float, is_off: bool) -> bool:
        """Or as near as can be: nothing is weaker than off, and nothing nearer was found."""
        limit = self._target.limit
        alike = _ALIKE_MEASURED if self._target.on else _ALIKE
        is_nearest = expected < self._low and abs(figure / expected - 1) <= alike
        at_least = 0.0 if is_off or is_nearest else self._low
        return at_least <= figure <= limit

    def _distance(self, figure: float) -> tuple[bool, float]:
        return figure > self._target.limit, abs(self._target.limit - figure)

    def _outcome(self, made: Made) -> Outcome:
        figure = self._workshop.figure(made.steps)
        reached = figure <= self._target.limit
        verdict = (
            f"target {self._target} {'reached' if reached else 'not reached'}: {figure:.4g} with "
            f"{loss(made.lost)} on validation_data(), at most "
            f"{self._target.max_accuracy_drop:g} allowed"
        )
        if not reached and self._short:
            verdict += f"; {'; '.join(dict.fromkeys(self._short))}"
        self._say(verdict)
        return Outcome(made.steps, reached, verdict, self._judge.attempts)
