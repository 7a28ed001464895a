"""How a fleet's cost grows, and how lost and doubled jobs are told."""

import pytest
from benchkit.fleet.growth import exponent, line
from benchkit.fleet.trial import audited

SIZES = (10, 50, 100, 200)


def test_the_exponent_tells_constant_linear_and_quadratic_apart() -> None:
    assert exponent(SIZES, [3.0] * 4) == pytest.approx(0.0)
    assert exponent(SIZES, [0.2 * n for n in SIZES]) == pytest.approx(1.0)
    assert exponent(SIZES, [0.2 * n * n for n in SIZES]) == pytest.approx(2.0)
    with pytest.raises(ValueError, match="two sizes"):
        exponent((10, 10), (1.0, 2.0))


def test_the_line_gives_what_is_fixed_and_what_each_agent_adds() -> None:
    assert line(SIZES, [5 + 0.5 * n for n in SIZES]) == pytest.approx((5.0, 0.5))


def test_what_is_lost_and_what_is_doubled_is_named() -> None:
    good = [("a", "1", ""), ("a", "2", ""), ("b", "1", "")]
    assert audited(good, {"a": {"1", "2"}, "b": {"1"}}, 2).lost == ("b: no result",)

    found = audited(
        [("a", "1", ""), ("a", "1", ""), ("b", "7", ""), ("b", "", "no agent answers")],
        {"a": {"1", "2"}, "b": set()},
        2,
    )
    assert found.lost == ("b: no agent answers", "b: no job 7 on it")
    assert found.doubled == ("a: nobody has 2", "a: 1 2 times")
