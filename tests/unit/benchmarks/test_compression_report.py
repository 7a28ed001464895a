"""What the compression benchmark says is kept, is not, or means nothing; and of curves."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from benchkit.compression.curve import dominations
from benchkit.compression.networks import RESNET20
from benchkit.compression.plans import FLOAT, TRAINED_ON, Bounds, Row, Way
from benchkit.compression.report import table
from benchkit.compression.scores import packed
from benchkit.rows import Row as Kept
from trimtab.project import PassStep

CUT, INT8 = PassStep("prune", {}), PassStep("quantize", {"scheme": "static"})


def figures(variant: str, right: int, size: int, seed: int = 0, macs: int | None = 100) -> Kept:
    """Of 1,000 answers the first ``right`` are right."""
    return {
        **{"row": "small", "seed": seed, "variant": variant, "samples": 1000, "macs": macs},
        **{"bytes": size, "download_bytes": size, "sparsity": 0.0},
        "right": packed(np.arange(1000) < right),
    }


def plan(bounds: Mapping[str, Bounds], **more: Any) -> Row:
    ways = {"cut": Way((CUT,)), "both": Way((CUT, INT8), share=0.2), "int8": Way((INT8,))}
    return Row("small", RESNET20, (), ways, bounds, seeds=(0,), **more)


def broken(bounds: Bounds, *kept: Kept) -> str:
    floats = [figures(FLOAT, 890, 1000), figures(TRAINED_ON, 900, 1000)]
    (problem,) = (text for cells, text in table(plan({"cut": bounds}), [*floats, *kept]) if text)
    return problem


def test_loss_is_counted_from_the_float_model_that_was_trained_on() -> None:
    cut = figures("cut", 880, 500, macs=40)
    floats = [figures(FLOAT, 890, 1000), figures(TRAINED_ON, 900, 1000)]
    found = {cells[0]: cells for cells, _ in table(plan({}), [*floats, cut])}
    assert found["cut"][1:8] == (
        "500",
        "0.500",
        "0.500",
        "0.400",
        "0.00",
        "88.00 %",
        "+2.00",
    )


def test_each_demand_that_is_not_kept_is_named_with_what_was_found() -> None:
    bounds = Bounds(lost=1.0, macs=0.5, size=0.4, faster=1.4)
    speed = {"row": "small", "speed": "cut", "ratio": 1.2, "low": 1.1, "high": 1.3, "problem": ""}
    assert broken(bounds, figures("cut", 880, 500, macs=60), speed) == (
        "cut: 2 points lost, at most 1 demanded, 0.6 of the MACs, at most 0.5 demanded, "
        "0.5 of the size, at most 0.4 demanded, 1.2 times faster, at least 1.4 demanded"
    )


def test_a_speed_that_was_not_measured_is_not_kept() -> None:
    problem = broken(Bounds(faster=1.4), figures("cut", 880, 500))
    assert problem == "cut: unknown times faster, at least 1.4 demanded"


def test_a_row_whose_premise_fails_is_void() -> None:
    problem = broken(Bounds(lost_at_least=0.5), figures("cut", 897, 500))
    assert "so the row is void" in problem


def test_the_worst_seed_counts_for_sizes() -> None:
    floats = [figures(name, 900, 1000, seed) for name in (FLOAT, TRAINED_ON) for seed in (0, 1)]
    cuts = [figures("cut", 900, size, seed) for seed, size in ((0, 390), (1, 410))]
    found = list(table(plan({"cut": Bounds(size=0.4)}), [*floats, *cuts]))
    assert "0.41 of the size, at most 0.4 demanded" in found[-1][1]


def curve(*kept: Kept) -> dict[str, str]:
    row = plan({}, curve=("both",), alone=("int8",))
    return {line[0]: line[3] for line in dominations(row, kept)}


def test_a_point_dominates_what_is_no_smaller_and_reads_no_more() -> None:
    last = figures("both", 880, 200)
    weaker = figures("both: both.2-quantize-0.3", 895, 260)
    on_the_way = figures("both: both.1-prune-0.3", 895, 900)
    int8 = figures("int8", 896, 270)
    assert curve(last, weaker, on_the_way, int8) == {
        "both: both.1-prune-0.3": "both: both.2-quantize-0.3",
        "int8": "NO",
    }
    assert curve(last, weaker, figures("int8", 895, 260)) == {"int8": "both: both.2-quantize-0.3"}
