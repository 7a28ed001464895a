import pytest
from trimtab.decide.requirements import parse_requirement, requirements_from
from trimtab.metrics import METRICS
from trimtab.records import Requirement, UserError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("latency_p90_ms<=10", Requirement("latency_p90_ms", "<=", 10.0)),
        (" accuracy > 0.9 ", Requirement("accuracy", ">", 0.9)),
        ("size_mb<1e-1", Requirement("size_mb", "<", 0.1)),
    ],
)
def test_a_requirement_is_metric_operator_number(text: str, expected: Requirement) -> None:
    assert parse_requirement(text) == expected


def test_a_table_gives_its_requirements_in_order() -> None:
    table = {"accuracy_drop": "<= 0.01", "latency_p90_ms": "<= 5"}
    assert [str(each) for each in requirements_from(table)] == [
        "accuracy_drop <= 0.01",
        "latency_p90_ms <= 5",
    ]


def test_an_unknown_metric_is_answered_with_the_allowed_ones() -> None:
    with pytest.raises(UserError, match="unknown metric latency_ms") as caught:
        parse_requirement("latency_ms<=1")
    assert all(name in caught.value.advice for name in METRICS)


@pytest.mark.parametrize("text", ["accuracy", "accuracy == 1", "<= 5", "", "accuracy <= x"])
def test_what_is_no_requirement_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_requirement(text)
    assert "<=" in caught.value.advice


def test_a_limit_that_nothing_can_meet_is_refused() -> None:
    with pytest.raises(UserError, match="can never be met"):
        parse_requirement("accuracy>=1.2")
