"""Dials are turned as far as a target takes and the accuracy allows, and what was tried is told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from pydantic import Field
from trimtab.compress.passes import PassConfig
from trimtab.compress.passes.base import Dial
from trimtab.compress.progressive import CannotBeMade, Outcome, Pipeline
from trimtab.compress.progressive.recipe import Fixed, Turned
from trimtab.project import PassStep, Target


class CutConfig(PassConfig):
    amount: float = Field(default=0.5, gt=0, lt=1)
    epochs: int = Field(default=1, ge=0)


class PaletteConfig(PassConfig):
    bits: int = 8
    epochs: int = 1


class ZerosConfig(PassConfig):
    share: float = 0.5
    epochs: int = 1
    epochs_per_step: int = 0


class PlainConfig(PassConfig):
    epochs: int = 0


def cut(name: str = "cut", place: int = 1, epochs: int = 1) -> Turned:
    step = PassStep(name, {"amount": 0.5, "epochs": epochs})
    return Turned(step, CutConfig, place, Dial("amount", 0.05, 0.9))


def plain(name: str, place: int, epochs: int = 0) -> Fixed:
    return Fixed(PassStep(name, {"epochs": epochs}), PlainConfig, place)


@dataclass
class FakeWorkshop:
    """A model of 10 that ``cut`` makes smaller by its amount, and ``int8`` to a quarter.

    ``costs``: what an amount of 1 loses, by pass; its cube counts. ``only_trained``: a factor on
    the figure that only shows when a model was trained.
    """

    costs: dict[str, float] = field(default_factory=dict)
    only_trained: float = 1.0
    noise: Callable[[], float] = lambda: 1.0
    impossible_above: float = 1.0
    probes: int = 0
    trained: list[str] = field(default_factory=list)
    seen: dict[str, float] = field(default_factory=dict)

    def figure(self, steps: Sequence[PassStep]) -> float:
        if any(step.settings.get("amount", 0) > self.impossible_above for step in steps):
            raise CannotBeMade("nothing would be left")
        if repr(steps) not in self.seen:
            self.probes += 1
            self.seen[repr(steps)] = self._figure(steps)
        return self.seen[repr(steps)]

    def score(self, steps: Sequence[PassStep]) -> float:
        self.trained.append(" ".join(_words(step) for step in steps))
        lost = (self.costs.get(s.use, 0) * s.settings.get("amount", 1) ** 3 for s in steps)
        return 0.9 - float(sum(lost))

    def _figure(self, steps: Sequence[PassStep]) -> float:
        figure: float = 10.0 * self.noise()
        for step in steps:
            figure *= float(1 - step.settings.get("amount", 0))
            figure *= float(step.settings.get("bits", 32) / 32)
            figure *= 0.25 if step.use == "int8" else 1.0
        is_trained = any(step.settings.get("epochs") for step in steps)
        return figure * (self.only_trained if is_trained else 1.0)


def _words(step: PassStep) -> str:
    return " ".join([step.use, *(f"{v:g}" for k, v in step.settings.items() if k != "epochs")])


def reach(
    limit: float, passes: Sequence[Fixed], workshop: FakeWorkshop, on: str | None = None
) -> Outcome:
    metric = "size_mb" if on is None else "latency_p50_ms"
    target = Target(metric, limit, (), 0.02, on)
    return Pipeline(passes, target, workshop, lambda line: None).run()


def final_amount(outcome: Outcome, use: str = "cut") -> Any:
    assert outcome.final is not None, outcome.verdict
    return next((s.settings["amount"] for s in outcome.final if s.use == use), None)


@pytest.mark.parametrize("limit", [9.0, 6.0, 2.5])
def test_dial_is_found_without_training_and_trained_once(limit: float) -> None:
    workshop = FakeWorkshop()
    outcome = reach(limit, [cut()], workshop)
    assert outcome.reached
    assert outcome.final is not None
    assert 0.95 * limit <= workshop.figure(outcome.final) <= limit
    assert workshop.trained == ["", f"cut {final_amount(outcome):g}"]
    assert workshop.probes <= 8


def test_no_epoch_of_any_kind_is_spent_on_looking() -> None:
    step = PassStep("zeros", {"share": 0.5, "epochs": 0, "epochs_per_step": 3})
    zeros = Turned(step, ZerosConfig, 1, Dial("share", 0.1, 0.9))
    assert zeros.trains
    assert zeros.untrained_at(0.3) == (
        PassStep("zeros", {"share": 0.3, "epochs": 0, "epochs_per_step": 0}),
    )


def test_what_follows_counts_before_anything_is_turned() -> None:
    """A quarter comes from int8: only the rest is cut."""
    outcome = reach(2.0, [plain("simplify", 1), cut(place=2), plain("int8", 3, 2)], FakeWorkshop())
    assert final_amount(outcome) == pytest.approx(0.2, abs=0.05)
    assert [each.label for each in outcome.attempts] == [
        "1-simplify",
        f"2-cut-{final_amount(outcome):g}",
        f"3-int8-{final_amount(outcome):g}",
    ]


def test_weaker_settings_are_made_too_so_that_there_is_a_curve() -> None:
    target = Target("size_mb", 2.0, (), 0.02, points=2)
    workshop = FakeWorkshop(costs={"cut": 0.01})
    passes = [cut(), plain("int8", 2), cut("factorize", 3)]  # the last is not needed
    outcome = Pipeline(passes, target, workshop, lambda line: None).run()
    whole = [each for each in outcome.attempts if len(each.steps) == 2]
    amounts = sorted(each.steps[0].settings["amount"] for each in whole)
    assert amounts == pytest.approx([0.1, 0.15, 0.2], abs=0.04)
    assert final_amount(outcome) == amounts[-1]


def test_pass_that_is_not_needed_is_left_out() -> None:
    outcome = reach(3.0, [cut(), plain("int8", 2, 1)], FakeWorkshop())
    assert final_amount(outcome) is None
    assert outcome.reached


def test_step_that_loses_too_much_is_turned_back_and_the_next_takes_over() -> None:
    workshop = FakeWorkshop(costs={"cut": 0.05})
    outcome = reach(1.5, [cut("cut", 1), cut("factorize", 2)], workshop)
    assert outcome.reached
    assert 0.05 * final_amount(outcome) ** 3 <= 0.01  # the first of two may lose half
    assert final_amount(outcome, "factorize") > 0.5
    assert [each.label for each in outcome.attempts if "turned back" in each.decision]


def test_target_out_of_reach_gives_the_nearest_with_the_reasons() -> None:
    workshop = FakeWorkshop(costs={"cut": 0.2})
    outcome = reach(2.0, [cut()], workshop)
    assert not outcome.reached
    lost = 0.2 * final_amount(outcome) ** 3
    assert 0.005 < lost <= 0.02
    assert outcome.verdict.startswith("target size_mb <= 2 not reached: ")
    assert "cut at 0.8" in outcome.verdict
    assert "lost too much" in outcome.verdict
    assert len({each.label for each in outcome.attempts}) == len(workshop.trained) - 1


def test_strongest_that_does_not_suffice_is_told() -> None:
    outcome = reach(0.5, [cut()], FakeWorkshop())
    assert final_amount(outcome) == 0.9
    assert "cut at 0.9, its strongest, gives 1" in outcome.verdict


def test_pass_that_does_not_lower_the_figure_is_left_out() -> None:
    """Zeros in a float file, say: the strongest would only lose."""
    step = PassStep("zeros", {"share": 0.5, "epochs": 1})
    zeros = Turned(step, ZerosConfig, 2, Dial("share", 0.1, 0.9))
    outcome = reach(0.5, [cut(), zeros], FakeWorkshop())
    assert outcome.final is not None
    assert [each.use for each in outcome.final] == ["cut"]
    assert "zeros does not lower size_mb" in outcome.verdict


def test_positions_that_cannot_be_made_are_not_the_end() -> None:
    outcome = reach(4.0, [cut()], FakeWorkshop(impossible_above=0.7))
    assert outcome.reached
    assert final_amount(outcome) == pytest.approx(0.62, abs=0.03)
    nearest = reach(1.0, [cut()], FakeWorkshop(impossible_above=0.7))
    assert not nearest.reached
    assert 0.6 < final_amount(nearest) <= 0.7


def test_pass_that_nothing_can_turn_back_fails_with_what_was_seen() -> None:
    outcome = reach(2.0, [cut(), plain("int8", 2, 1)], FakeWorkshop(costs={"int8": 0.05}))
    assert outcome.final is None
    assert "2-int8-off" in outcome.verdict
    assert "0.0500 lost" in outcome.verdict
    assert outcome.attempts


def test_untrained_step_is_judged_with_the_one_that_trains() -> None:
    passes = [cut(epochs=0), plain("distill", 2, 3)]
    workshop = FakeWorkshop(costs={"cut": 1.0, "distill": -0.5})
    outcome = reach(2.5, passes, workshop)
    assert outcome.reached
    assert "judged when what follows" in outcome.attempts[0].decision


@pytest.mark.parametrize("factor", [0.85, 1.15])
def test_what_training_changes_is_corrected(factor: float) -> None:
    workshop = FakeWorkshop(only_trained=factor)
    outcome = reach(5.0, [cut()], workshop)
    assert outcome.final is not None
    assert 4.75 <= workshop.figure(outcome.final) <= 5.0
    assert len(workshop.trained) <= 4


@pytest.mark.parametrize("seed", range(20))
def test_noisy_latency_is_found_near_the_limit_when_it_is_measured_again(seed: int) -> None:
    chance = Random(seed)
    workshop = FakeWorkshop(noise=lambda: 1 + chance.uniform(-0.02, 0.02))
    outcome = reach(4.0, [cut()], workshop, on="local")
    assert outcome.reached
    assert outcome.final is not None
    assert workshop.figure(outcome.final) <= 4.0
    assert 3.8 <= FakeWorkshop().figure(outcome.final) <= 4.2


def test_jagged_latency_is_looked_for_on_both_sides() -> None:
    """As measured: 15 channels may take longer than 16."""

    class Jagged(FakeWorkshop):
        def _figure(self, steps: Sequence[PassStep]) -> float:
            amount = next((step.settings["amount"] for step in steps), 0)
            return 10 * (1 - amount) * (1.25 if int(amount * 40) % 2 else 1)

    workshop = Jagged()
    outcome = reach(4.4, [cut()], workshop, on="local")
    assert outcome.final is not None
    assert 4.18 <= workshop.figure(outcome.final) <= 4.4
    assert len(workshop.trained) == 2


def test_dial_of_whole_numbers_stays_whole_and_may_fall() -> None:
    step = PassStep("palette", {"bits": 8, "epochs": 1})
    palette = Turned(step, PaletteConfig, 1, Dial("bits", 8, 1))
    outcome = reach(1.6, [palette], FakeWorkshop())
    assert outcome.final is not None
    assert outcome.final[0].settings["bits"] == 5


def test_float_model_that_is_there_already_needs_no_pipeline() -> None:
    outcome = reach(20.0, [cut()], FakeWorkshop())
    assert outcome.final is None
    assert "the float model has 10" in outcome.verdict
