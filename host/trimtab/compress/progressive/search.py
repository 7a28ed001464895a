"""The weakest position of a dial that reaches a limit, and the strongest that loses little."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from trimtab.compress.passes.base import Dial

Round = Callable[[float], float]
# Interpolation converges in three or four where the figure falls smoothly, and halves else.
_MOST_PROBES = 8
_NEVER_NEARER = 0.15
_FINEST = 0.01
_AROUND = 0.0125
_MOST_AROUND = 12
_MOST_BACK_OFFS = 3


@dataclass(frozen=True)
class Aim:
    """What a figure must be: at most ``high``; above ``low`` it is not looked at any nearer.

    ``is_jagged``: the figure need not fall with each turn of the dial. A layer of 15 channels may
    take longer than one of 16.
    """

    low: float
    high: float
    is_jagged: bool = False

    def scaled(self, factor: float) -> Aim:
        return replace(self, low=self.low * factor, high=self.high * factor)

    def holds(self, figure: float) -> bool:
        return self.low <= figure <= self.high


@dataclass(frozen=True)
class End:
    """Of the range that is looked through. ``figure`` None: the pass cannot be turned there."""

    at: float
    figure: float | None


def weakest_reaching(
    figure: Callable[[float], float | None], dial: Dial, aim: Aim, off: float | None, rounded: Round
) -> End | None:
    """Else the strongest that can be made; None: there is none. ``off``: without the pass.

    Figures may be noisy: a position counts as reaching when its own figure does.
    """
    weak = End(dial.weakest, off)
    strong = End(rounded(dial.strongest), figure(rounded(dial.strongest)))
    seen = [strong]
    finest = _FINEST * abs(dial.strongest - dial.weakest)
    for _ in range(_MOST_PROBES):
        if _is_settled(strong, aim) or abs(strong.at - weak.at) <= finest:
            break
        at = rounded(_between(weak, strong, aim))
        if any(at == each.at for each in seen):
            break
        found = End(at, figure(at))
        seen.append(found)
        weak, strong = _narrowed(weak, strong, found, aim)
    best = _best(seen, dial, aim)
    if aim.is_jagged and best and _falls_short(best, aim):
        seen += _around(best, dial, aim, figure, rounded)
    return _best(seen, dial, aim)


def _falls_short(best: End, aim: Aim) -> bool:
    return best.figure is not None and best.figure < aim.low


def _around(
    best: End,
    dial: Dial,
    aim: Aim,
    figure: Callable[[float], float | None],
    rounded: Round,
) -> list[End]:
    """Nearest first, to both sides; up to the first that is near the limit."""
    step = _AROUND * (dial.strongest - dial.weakest)
    low, high = sorted((dial.weakest, dial.strongest))
    found: list[End] = []
    for index in range(_MOST_AROUND):
        side = 1 if index % 2 else -1
        at = rounded(best.at + side * step * (index // 2 + 1))
        if low <= at <= high:
            found.append(End(at, figure(at)))
            if found[-1].figure is not None and aim.holds(found[-1].figure):
                break
    return found


def strongest_kept(
    is_kept: Callable[[float], bool], dial: Dial, too_strong: float, rounded: Round
) -> None:
    """Tries weaker positions by halves; what is kept is told by ``is_kept`` itself."""
    good, bad = dial.weakest, too_strong
    for _ in range(_MOST_BACK_OFFS):
        at = rounded((good + bad) / 2)
        if at in (rounded(good), bad):
            return
        if is_kept(at):
            good = at
        else:
            bad = at


def _is_settled(strong: End, aim: Aim) -> bool:
    """Even the strongest is too large, or what reaches the aim is near it."""
    return strong.figure is not None and (strong.figure > aim.high or aim.holds(strong.figure))


def _between(weak: End, strong: End, aim: Aim) -> float:
    share = 0.5
    if weak.figure is not None and strong.figure is not None and weak.figure > strong.figure:
        middle = (aim.low + aim.high) / 2
        share = (weak.figure - middle) / (weak.figure - strong.figure)
        share = min(1 - _NEVER_NEARER, max(_NEVER_NEARER, share))
    return weak.at + share * (strong.at - weak.at)


def _narrowed(weak: End, strong: End, found: End, aim: Aim) -> tuple[End, End]:
    if found.figure is None:
        # Too weak to do anything where a stronger one works, else too strong.
        return (End(found.at, weak.figure), strong) if strong.figure else (weak, found)
    return (weak, found) if found.figure <= aim.high else (found, strong)


def _best(seen: list[End], dial: Dial, aim: Aim) -> End | None:
    """The weakest near the limit, else the weakest below it, else the strongest."""

    def strength(end: End) -> float:
        return abs(end.at - dial.weakest)

    made = [each for each in seen if each.figure is not None]
    reaching = [each for each in made if each.figure is not None and each.figure <= aim.high]
    near = [each for each in reaching if not _falls_short(each, aim)]
    if near or reaching:
        return min(near or reaching, key=strength)
    return max(made, key=strength, default=None)
