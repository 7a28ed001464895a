"""The weakest position of a dial that reaches a limit, and the strongest that loses little."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from trimtab.compress.passes.base import Dial

Round = Callable[[float], float]
# Interpolation converges in three or four where the figure falls smoothly, and halves else.
_MOST_PROBES = 8
_NEVER_NEARER = 0.15
_FINEST = 0.01
_MOST_BACK_OFFS = 3


@dataclass(frozen=True)
class Aim:
    """What a figure must be: at most ``high``; above ``low`` it is not looked at any nearer."""

    low: float
    high: float

    def scaled(self, factor: float) -> Aim:
        return Aim(self.low * factor, self.high * factor)

    def holds(self, figure: float) -> bool:
        return self.low <= figure <= self.high


@dataclass(frozen=True)
class Position:
    """``figure`` None: the pass cannot be turned there. ``at`` None: it is left out."""

    at: float | None
    figure: float | None


@dataclass(frozen=True)
class _End:
    """Of the range that is still looked through."""

    at: float
    figure: float | None


def weakest_reaching(
    figure: Callable[[float], float | None], dial: Dial, aim: Aim, off: float | None, rounded: Round
) -> Position | None:
    """Else the strongest that can be made; None: there is none. ``off``: without the pass.

    Figures may be noisy: a position counts as reaching when its own figure does.
    """
    weak = _End(dial.weakest, off)
    strong = _End(rounded(dial.strongest), figure(rounded(dial.strongest)))
    seen = [strong]
    finest = _FINEST * abs(dial.strongest - dial.weakest)
    for _ in range(_MOST_PROBES):
        if _is_settled(strong, aim) or abs(strong.at - weak.at) <= finest:
            break
        at = rounded(_between(weak, strong, aim))
        if any(at == each.at for each in seen):
            break
        found = _End(at, figure(at))
        seen.append(found)
        weak, strong = _narrowed(weak, strong, found, aim)
    return _best(seen, dial, aim)


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


def _is_settled(strong: _End, aim: Aim) -> bool:
    """Even the strongest is too large, or what reaches the aim is near it."""
    return strong.figure is not None and (strong.figure > aim.high or aim.holds(strong.figure))


def _between(weak: _End, strong: _End, aim: Aim) -> float:
    share = 0.5
    if weak.figure is not None and strong.figure is not None and weak.figure > strong.figure:
        middle = (aim.low + aim.high) / 2
        share = (weak.figure - middle) / (weak.figure - strong.figure)
        share = min(1 - _NEVER_NEARER, max(_NEVER_NEARER, share))
    return weak.at + share * (strong.at - weak.at)


def _narrowed(weak: _End, strong: _End, found: _End, aim: Aim) -> tuple[_End, _End]:
    if found.figure is None:
        # Too weak to do anything where a stronger one works, else too strong.
        return (_End(found.at, weak.figure), strong) if strong.figure else (weak, found)
    return (weak, found) if found.figure <= aim.high else (found, strong)


def _best(seen: list[_End], dial: Dial, aim: Aim) -> Position | None:
    def strength(end: _End) -> float:
        return abs(end.at - dial.weakest)

    made = [(each, each.figure) for each in seen if each.figure is not None]
    reaching = [each for each, figure in made if figure <= aim.high]
    if reaching:
        best = min(reaching, key=strength)
    elif made:
        best = max((each for each, _ in made), key=strength)
    else:
        return None
    return Position(best.at, best.figure)
