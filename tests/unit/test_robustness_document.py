"""docs/robustness.md gives the limits and strengths that the code has."""

from pathlib import Path

import pytest
from trimtab.measure import per_class
from trimtab.task import corruptions

_DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "robustness.md"
_TEXT = " ".join(_DOCUMENT.read_text(encoding="utf-8").split())


@pytest.mark.parametrize("name", corruptions.BUILT_IN)
def test_each_built_in_corruption_is_named_with_its_strengths(name: str) -> None:
    strengths = {
        "noise": [each / 0.25 for each in corruptions._NOISE],
        "blur": corruptions._BLUR,
        "brightness": [each / 0.25 for each in corruptions._BRIGHTNESS],
        "crop": corruptions._CROP,
    }[name]
    places = {"noise": 2, "blur": 1, "brightness": 1, "crop": 0}[name]
    listed = ", ".join(f"{each:.{places}f}" for each in strengths)
    assert f"| `{name}` |" in _TEXT
    assert listed in _TEXT


def test_the_rule_of_a_collapse_is_the_codes() -> None:
    assert f"more than {per_class.MARGIN * 100:g} points beyond the mean drop" in _TEXT
    assert f"at most {per_class.LEVEL * 100:g} % after Holm" in _TEXT
    for classes, needed in ((10, 8), (100, 11), (1000, 15)):
        assert per_class.needed_right(classes) == needed
        assert f"{needed} right ones for {classes}" in _TEXT or f"{needed} for {classes:,}" in _TEXT
