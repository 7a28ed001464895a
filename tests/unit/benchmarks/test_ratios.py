"""When a benchmark says within, off, or that it cannot tell."""

import pytest
from benchkit.ratios import Ratio, judge, ratio_of


@pytest.mark.parametrize(
    ("low", "high", "text", "off"),
    [
        (0.995, 1.004, "within 1%", False),
        (1.002, 1.013, "not resolved: +0.2% to +1.3% (resolution 0.5%)", False),
        (0.97, 1.03, "not resolved: resolution 3.0%", False),
        (1.011, 1.029, "OFF by +2.0%", True),
        (0.96, 0.98, "OFF by -3.0%", True),
    ],
)
def test_only_an_interval_beyond_the_bound_is_off(
    low: float, high: float, text: str, off: bool
) -> None:
    verdict = judge(Ratio((low + high) / 2, low, high, 5))
    assert (verdict.text, verdict.off) == (text, off)


def test_the_interval_is_a_students_over_logarithms() -> None:
    ratio = ratio_of([1.01, 1.0, 1.02])
    assert ratio is not None
    assert ratio.value == pytest.approx(1.00997, abs=1e-5)
    assert ratio.high == pytest.approx(1.00997 * 1.0249, rel=1e-3)
    assert ratio.low == pytest.approx(1.00997 / 1.0249, rel=1e-3)


def test_one_ratio_resolves_nothing() -> None:
    assert ratio_of([1.0]) is None
    assert judge(None).text.startswith("not resolved")
