"""The PPK2's words as current: gaps, changes of range, lost bytes, and every way to cut them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from trimtab_agent.meters.ppk2_samples import SAMPLE_S, Block, Decoder, NotSamples

Samples = Callable[..., bytes]
_R = (1031.64, 101.65, 10.15, 0.94, 0.043)
_ADC_MULT = 1.8 / 163840


def modifiers(**given: float) -> dict[str, Any]:
    plain = {"GS": 1.0, "GI": 1.0, "O": 0.0, "S": 0.0, "I": 0.0, "UG": 1.0, **given}
    return {
        "Calibrated": None,
        "R": {str(each): value for each, value in enumerate(_R)},
        **{name: dict.fromkeys("01234", value) for name, value in plain.items()},
    }


def decoder(**given: float) -> Decoder:
    return Decoder(modifiers(**given), _ADC_MULT, 5.0)


def one_by_one(adc: int, measuring_range: int, **given: float) -> float:
    """Amperes by the formula of ppk2_api's get_adc_result, written out for one sample."""
    of = {"GS": 1.0, "GI": 1.0, "O": 0.0, "S": 0.0, "I": 0.0, "UG": 1.0, **given}
    plain = (adc * 4 - of["O"]) * (_ADC_MULT / _R[measuring_range])
    return of["UG"] * (plain * (of["GS"] * plain + of["GI"]) + (of["S"] * 5.0 + of["I"]))


def blocks(decoded: Decoder, data: bytes, sizes: Iterator[int]) -> list[Block]:
    found, place = [], 0
    while place < len(data):
        size = next(sizes)
        block = decoded.decode(data[place : place + size])
        place += size
        found += [] if block is None else [block]
    return found


def charge(found: list[Block]) -> float:
    return sum(block.charge_c for block in found)


@pytest.mark.parametrize("measuring_range", range(5))
def test_every_correction_is_applied(measuring_range: int, samples: Samples) -> None:
    given = {"GS": 0.9, "GI": 1.1, "O": 112.5, "S": 2e-6, "I": -3e-6, "UG": 1.02}
    block = decoder(**given).decode(samples([(2000, measuring_range)] * 500))
    assert block is not None
    expected = one_by_one(2000, measuring_range, **given) * 500 * SAMPLE_S
    assert block.charge_c == pytest.approx(expected)
    assert (block.count, block.lost) == (500, 0)


def test_a_range_beyond_the_last_counts_as_the_last(samples: Samples) -> None:
    block = decoder().decode(samples([(2000, 7)] * 10))
    assert block is not None
    assert block.charge_c == pytest.approx(one_by_one(2000, 4) * 10 * SAMPLE_S)


def test_how_the_bytes_are_cut_changes_nothing(samples: Samples) -> None:
    numbers = random.Random(7)
    values = [(numbers.randrange(500, 4000), 3 if each // 700 % 2 else 4) for each in range(5000)]
    data = samples(values)
    whole = decoder().decode(data)
    assert whole is not None
    cut = blocks(decoder(), data, iter(lambda: numbers.randrange(1, 900), 0))
    assert sum(block.count for block in cut) == whole.count == 5000
    assert charge(cut) == pytest.approx(whole.charge_c, rel=1e-3)


def test_one_byte_at_a_time_is_no_less(samples: Samples) -> None:
    data = samples([(1500, 2)] * 200)
    found = blocks(decoder(), data, iter(lambda: 1, 0))
    assert charge(found) == pytest.approx(one_by_one(1500, 2) * 200 * SAMPLE_S)


def test_lost_samples_lie_between_their_neighbours_and_are_counted(samples: Samples) -> None:
    before = samples([(1000, 3)] * 100)
    after = samples([(1000, 3)] * 100, first=140)
    found = blocks(decoder(), before + after, iter((400, 400)))
    assert sum(block.count for block in found) == 240
    assert sum(block.lost for block in found) == 40
    assert charge(found) == pytest.approx(one_by_one(1000, 3) * 240 * SAMPLE_S)


def test_a_lost_byte_costs_one_sample_and_no_more(samples: Samples) -> None:
    data = samples([(1000, 3)] * 400)
    found = blocks(decoder(), data[:800] + data[801:], iter((800, 400, 400)))
    assert sum(block.count for block in found) == 400
    assert sum(block.lost for block in found) == 1
    assert charge(found) == pytest.approx(one_by_one(1000, 3) * 400 * SAMPLE_S)


def test_the_swing_after_a_change_of_range_is_not_taken(samples: Samples) -> None:
    spike = [(16000, 4)] * 2
    steady = decoder().decode(samples([(1000, 3)] * 100 + [(46, 4)] * 100))
    swinging = decoder().decode(samples([(1000, 3)] * 100 + spike + [(46, 4)] * 98))
    assert steady is not None
    assert swinging is not None
    assert swinging.charge_c == pytest.approx(steady.charge_c, rel=1e-3)


@pytest.mark.parametrize("data", [b"\x00" * 4000, b"no samples at all, in any words " * 100])
def test_what_is_no_samples_is_refused(data: bytes) -> None:
    with pytest.raises(NotSamples):
        decoder().decode(data)


def test_less_than_a_sample_is_nothing_yet() -> None:
    assert decoder().decode(b"\x01\x02\x03") is None
