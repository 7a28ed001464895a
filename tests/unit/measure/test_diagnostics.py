"""What is told of the samples of each repeat, and why where it cannot be."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from trimtab.measure.diagnostics import Diagnostics, RepeatDiagnostics, diagnose
from trimtab.records import RawArm

MakeRawArm = Callable[..., RawArm]


def noise(count: int, seed: int = 0) -> list[float]:
    return [100 + each for each in np.random.default_rng(seed).random(count)]


def of(raw: RawArm) -> Diagnostics:
    found = diagnose(raw)
    assert isinstance(found, Diagnostics)
    return found


def test_without_samples_the_reason_is_told(make_raw_arm: MakeRawArm) -> None:
    assert diagnose(None) == "the raw samples are not at hand"
    assert diagnose(make_raw_arm(())) == "no latency was measured"
    assert diagnose(make_raw_arm(((), ()))) == "no latency was measured"


def test_the_repeats_effective_sizes_are_added_up(make_raw_arm: MakeRawArm) -> None:
    found = of(make_raw_arm((noise(500), noise(400, 1), [])))
    assert [each.sample_count for each in found.repeats] == [500, 400, 0]
    assert found.sample_count == 900
    sizes = [each.effective_sample_size for each in found.repeats]
    assert sizes[2] is None
    assert found.effective_sample_size == pytest.approx((sizes[0] or 0) + (sizes[1] or 0))
    assert 700 < (found.effective_sample_size or 0) <= 900


def test_where_one_repeat_tells_nothing_there_is_no_size_of_all(make_raw_arm: MakeRawArm) -> None:
    assert of(make_raw_arm((noise(500), [5.0] * 500))).effective_sample_size is None


def test_a_percentile_and_a_lag_need_enough_samples_of_the_one_repeat(
    make_raw_arm: MakeRawArm,
) -> None:
    enough, short = of(make_raw_arm((noise(400), noise(63)))).repeats
    assert enough.within_ci95_ns["p90"] is not None
    assert enough.autocorrelation[100] is not None
    assert short.within_ci95_ns["p90"] is None
    assert short.within_ci95_ns["p50"] is not None
    assert (short.autocorrelation[1] is not None, short.autocorrelation[100]) == (True, None)


@pytest.mark.parametrize(
    ("samples", "p50_ns", "reason"),
    [
        ([], None, "needs 10 samples, had 0"),
        ([5.0], 5000, "needs 10 samples, had 1"),
        ([5.0] * 4 + [7.0] * 5, 7000, "needs 10 samples, had 9"),
        ([5.0] * 100, 5000, "all samples are equal"),
    ],
)
def test_too_few_or_equal_samples_say_so_and_keep_their_median(
    make_raw_arm: MakeRawArm, samples: list[float], p50_ns: float | None, reason: str
) -> None:
    raw = make_raw_arm((samples, noise(100)))
    assert of(raw).repeats[0] == RepeatDiagnostics(0, len(samples), p50_ns, reason=reason)
