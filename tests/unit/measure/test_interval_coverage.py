"""Intervals hold the true value as often as they say: benchmarks/interval_coverage.py, in small."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from trimtab.measure import stats
from trimtab.measure.dependence import rank_autocorrelation

SCRIPT = Path(__file__).resolve().parents[3] / "benchmarks" / "interval_coverage.py"
RUNS = 300
LOWEST = 0.90  # 95 % expected at least: four standard errors of 300 runs below
TEXTBOOK_HIGHEST = 0.70


@pytest.fixture(scope="module")
def simulation() -> ModuleType:
    spec = importlib.util.spec_from_file_location("interval_coverage", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("repeats", [3, 5])
@pytest.mark.parametrize("percentile", ["p50", "p90"])
@pytest.mark.parametrize(
    ("shape", "samples"), [("skewed", 600), ("switching", 600), ("skewed", 100)]
)
def test_the_interval_holds_the_truth_and_the_textbook_s_does_not(
    simulation: ModuleType, shape: str, samples: int, percentile: str, repeats: int
) -> None:
    made = {"skewed": simulation.skewed, "switching": lambda: simulation.switching(0.6)}[shape]()
    case = simulation.Case(made, 0.01, samples)
    held = simulation.coverage(case, repeats, percentile, RUNS, seed=11)
    assert held.reported >= LOWEST
    assert held.textbook <= TEXTBOOK_HIGHEST


@pytest.mark.parametrize("shape", ["skewed", "bimodal", "switching"])
def test_the_simulated_samples_have_the_quantiles_and_the_dependence_they_should(
    simulation: ModuleType, shape: str
) -> None:
    made = {
        "skewed": simulation.skewed,
        "bimodal": lambda: simulation.bimodal(0.7),
        "switching": lambda: simulation.switching(0.6),
    }[shape]()
    case = simulation.Case(made, 0.0, 100_000)
    (samples,) = next(case.runs(1, 1, seed=3))
    for name in ("p90", "p99"):
        assert np.mean(samples <= case.truth_ns(name)) == pytest.approx(
            {"p90": 0.9, "p99": 0.99}[name], abs=0.01
        )
    ranks = rank_autocorrelation(samples)
    assert ranks is not None
    plain = np.corrcoef(samples[:-1], samples[1:])[0, 1]
    assert (plain if shape == "switching" else ranks[1]) == pytest.approx(0.9, abs=0.01)


def test_repeats_differ_by_the_spread_asked_for(simulation: ModuleType) -> None:
    case = simulation.Case(simulation.skewed(), 0.5, 2000)
    medians = [stats.per_repeat("p50", run) for run in case.runs(200, 5, seed=3)]
    assert np.log(medians).std() == pytest.approx(0.5, rel=0.1)
    assert np.log(medians).mean() == pytest.approx(np.log(1e6), abs=0.06)


def test_the_documented_table_has_every_case_and_holds_what_is_asked_for(
    simulation: ModuleType,
) -> None:
    text = (SCRIPT.parents[1] / "docs" / "statistics.md").read_text(encoding="utf-8")
    table = next(part for part in text.split("\n\n") if part.startswith("| samples | spread"))
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    assert [tuple(row[:4]) for row in rows] == [
        (case.shape.name, f"{100 * case.spread:.0f} %", str(case.samples), str(repeats))
        for case in simulation.CASES
        for repeats in simulation.ASKED
    ]
    for row in rows:
        asked = 100 * simulation.ASKED[int(row[3])]
        assert min(float(cell.removesuffix(" %")) for cell in row[4:6]) >= asked
