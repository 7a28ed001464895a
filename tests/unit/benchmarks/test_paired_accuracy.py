"""Differences in accuracy on the same images."""

import numpy as np
import pytest
from benchkit.paired_accuracy import difference

RIGHT = np.arange(1000) % 10 > 0


def test_equal_answers_differ_by_nothing_within_a_narrow_interval() -> None:
    found = difference([RIGHT], [RIGHT])
    assert found.value == 0
    assert -0.3 < found.low < 0 < found.high < 0.3


def test_ten_more_right_of_a_thousand_are_one_point() -> None:
    more = RIGHT | (np.arange(1000) % 100 == 0)
    found = difference([more], [RIGHT])
    assert found.value == pytest.approx(1)
    assert 0 < found.low < 1 < found.high < 2


def test_luck_of_single_networks_narrows_over_several() -> None:
    generator = np.random.default_rng(0)
    flipped = [RIGHT ^ (generator.random(1000) < 0.02) for _ in range(9)]
    alone = difference(flipped[:1], [RIGHT])
    together = difference(flipped, [RIGHT] * 9)
    assert together.high - together.low < 0.5 * (alone.high - alone.low)


def test_image_that_all_networks_lose_counts_once() -> None:
    """Nine networks with the same answers know no more than one."""
    fewer = RIGHT & (np.arange(1000) % 50 != 1)
    alone, together = difference([fewer], [RIGHT]), difference([fewer] * 9, [RIGHT] * 9)
    assert together.high - together.low == pytest.approx(alone.high - alone.low, rel=0.1)
