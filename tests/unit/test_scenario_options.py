"""Which scenario the command line asks for, and what is refused."""

from typing import Any

import pytest
from trimtab.cli.options import overridden
from trimtab.records import UserError


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"sustain": "10m"}, {"sustain_s": 600.0, "repeats": 1, "rate_hz": None}),
        ({"sustain": "1h", "repeats": 3}, {"sustain_s": 3600.0, "repeats": 3}),
        ({"sustain": "90", "policy": "normal"}, {"sustain_s": 90.0, "repeats": 1}),
        ({"rate": 30.0}, {"rate_hz": 30.0, "sustain_s": None, "batch_size": None}),
    ],
)
def test_one_scenario_takes_the_place_of_the_projects(
    given: dict[str, Any], expected: dict[str, Any]
) -> None:
    found = overridden(given)
    assert {name: found[name] for name in expected} == expected


def test_without_a_scenario_the_projects_own_stays() -> None:
    assert overridden({"repeats": 4}) == {"repeats": 4}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sustain": "10m", "rate": 30.0}, "--rate and --sustain are two scenarios"),
        ({"sustain": "10m", "batch_size": 8}, "--batch-size and --sustain are two scenarios"),
        ({"sustain": "500ms"}, "--sustain 500ms: out of range"),
        ({"sustain": "25h"}, "--sustain 25h: out of range"),
        ({"sustain": "ten"}, "ten: not a duration"),
    ],
)
def test_what_cannot_be_sustained_is_refused_with_what_to_do(
    given: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError) as caught:
        overridden(given)
    assert caught.value.message == message
    assert caught.value.advice
