"""A pipeline's passes, those that are turned and those that are taken as they stand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from trimtab.compress.passes import PassConfig, load_pass
from trimtab.compress.passes.base import Dial
from trimtab.compress.progressive.workshop import Steps
from trimtab.project import PassStep, Target

_EPOCHS = "epochs"  # what settings begin with that make a pass train
_DECIMALS = 3


@dataclass(frozen=True)
class Fixed:
    """``place``: in the recipe, from 1."""

    step: PassStep
    config: type[PassConfig]
    place: int

    @property
    def trains(self) -> bool:
        return any(self._epochs().values())

    @property
    def untrained(self) -> PassStep:
        """What has the same size and speed, and nothing learnt."""
        return self._with(dict.fromkeys(self._epochs(), 0)) if self.trains else self.step

    def _epochs(self) -> dict[str, Any]:
        settings = self.step.settings.items()
        return {name: value for name, value in settings if name.startswith(_EPOCHS)}

    def _with(self, settings: dict[str, Any]) -> PassStep:
        config = self.config.model_validate({**self.step.settings, **settings})
        return PassStep(self.step.use, config.model_dump(mode="json", exclude_none=True))


@dataclass(frozen=True)
class Turned(Fixed):
    dial: Dial

    @property
    def off(self) -> float | None:
        """Where it costs nothing: left out, or at a weakest setting that only tidies up."""
        return None if self.dial.weakest else 0.0

    def at(self, position: float | None) -> Steps:
        """None leaves the pass out."""
        return () if position is None else (self._with({self.dial.setting: position}),)

    def untrained_at(self, position: float | None) -> Steps:
        return tuple(replace(self, step=each).untrained for each in self.at(position))

    def weaker(self, position: float, count: int) -> list[float]:
        """Evenly between the weakest and the position, without either."""
        weakest = self.dial.weakest
        step = (position - weakest) / (count + 1)
        return [self.rounded(weakest + index * step) for index in range(1, count + 1)]

    def falling(self, count: int) -> list[float]:
        """The strongest, then by halves."""
        weakest, strongest = self.dial.weakest, self.dial.strongest
        return [self.rounded(weakest + (strongest - weakest) / 2**index) for index in range(count)]

    def rounded(self, position: float) -> float:
        """To what a recipe is written with."""
        if self.config.model_fields[self.dial.setting].annotation is int:
            return round(position)
        return round(position, _DECIMALS)


@dataclass(frozen=True)
class Segment:
    """A pass that is turned with those behind it that are not; the first may have none to turn."""

    turned: Turned | None
    fixed: tuple[Fixed, ...]


def load_passes(steps: Sequence[PassStep], target: Target) -> tuple[Fixed, ...]:
    """Raises PassRejected for a pass that is unavailable."""
    found: list[Fixed] = []
    for index, step in enumerate(steps):
        made = load_pass(step.use)
        if made.dial is not None and index in target.turned:
            found.append(Turned(step, made.config, index + 1, made.dial))
        else:
            found.append(Fixed(step, made.config, index + 1))
    return tuple(found)


def segments(passes: Iterable[Fixed]) -> tuple[Segment, ...]:
    found: list[Segment] = []
    for each in passes:
        if isinstance(each, Turned):
            found.append(Segment(each, ()))
        elif not found:
            found.append(Segment(None, (each,)))
        else:
            found[-1] = replace(found[-1], fixed=(*found[-1].fixed, each))
    return tuple(found)


def untrained(passes: Iterable[Fixed]) -> Steps:
    """With those that are turned where they cost nothing."""
    found: list[PassStep] = []
    for each in passes:
        found.extend(each.untrained_at(each.off) if isinstance(each, Turned) else [each.untrained])
    return tuple(found)
