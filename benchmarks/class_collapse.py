"""How often docs/robustness.md's flag is raised: where no class collapsed, and where one did.

The rule promises that at most 5 % of the variants whose classes lost nothing, or all lost as often,
are flagged. Beside it, what a plain threshold says: any class 10 points beyond the mean drop.

    TRIMTAB_COLLAPSE_RUNS=2000 python benchmarks/class_collapse.py
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from trimtab.measure import per_class
from trimtab.measure.accuracy import BoolArray

RUNS = int(os.environ.get("TRIMTAB_COLLAPSE_RUNS", "300"))
_COLLAPSED = 3


@dataclass(frozen=True)
class World:
    """Shares: right in the float model; of these lost; of the wrong ones won."""

    name: str
    right: float
    lost: float
    won: float
    lost_by_one_class: float | None = None


WORLDS = (
    World("no change, few samples differ", 0.9, 0.033, 0.3),
    World("no change, many differ", 0.7, 0.2, 0.467),
    World("all classes lose 8 points", 0.9, 0.1, 0.1),
    World("one class from 0.95 to 0.65", 0.95, 0.02, 0.2, 0.33),
    World("one class from 0.95 to 0.40", 0.95, 0.02, 0.2, 0.59),
)
SIZES = ((10, 10), (10, 40), (10, 500), (100, 50))


def simulated(
    world: World, sizes: tuple[int, int], random: np.random.Generator
) -> tuple[npt.NDArray[np.int64], BoolArray, BoolArray]:
    """Targets, and whether the float model and the variant have each sample right."""
    classes, samples = sizes
    targets = np.repeat(np.arange(classes), samples)
    lost = np.full(len(targets), world.lost)
    if world.lost_by_one_class is not None:
        lost[targets == _COLLAPSED] = world.lost_by_one_class
    before = random.random(len(targets)) < world.right
    draw = random.random(len(targets))
    return targets, before, np.where(before, draw >= lost, draw < world.won)


def shares(
    world: World, sizes: tuple[int, int], random: np.random.Generator
) -> tuple[float, float, float]:
    """Of runs flagged by the rule, by a plain threshold; and whose interval holds the largest drop.

    Where one class collapsed, only its own flag counts.
    """
    flagged = beyond = held = 0
    for _ in range(RUNS):
        targets, before, after = simulated(world, sizes, random)
        found = per_class.changes(targets, before, after, ())
        mean = float(after.mean() - before.mean())
        if world.lost_by_one_class is not None:
            found = (found[_COLLAPSED],)
        flagged += any(each.collapsed for each in found)
        beyond += any((each.change or 0.0) < mean - per_class.MARGIN for each in found)
        interval = per_class.worst_drop_interval(targets, before, after)
        low, high = interval or (-1.0, 1.0)
        held += low <= true_largest_drop(world) <= high
    return flagged / RUNS, beyond / RUNS, held / RUNS


def true_largest_drop(world: World) -> float:
    lost = max(world.lost, world.lost_by_one_class or 0.0)
    return world.right * lost - (1 - world.right) * world.won


def main() -> None:
    random = np.random.default_rng(0)
    print("| what happened | classes | samples each | flagged | plain threshold | interval holds |")
    print("|---|--:|--:|--:|--:|--:|")
    for world in WORLDS:
        for sizes in SIZES:
            found = " | ".join(f"{100 * each:.1f} %" for each in shares(world, sizes, random))
            print(f"| {world.name} | {sizes[0]} | {sizes[1]} | {found} |", flush=True)


if __name__ == "__main__":
    main()
