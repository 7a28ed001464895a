"""What a profile says of the accelerator that was asked for."""

from trimtab_agent.placement import placement_check


def test_everything_where_it_was_asked_for() -> None:
    check = placement_check("cpu", {"cpu (XNNPACK)": {"CONV_2D": 9}, "cpu (built-in)": {"ADD": 1}})
    assert check.outcome == "passed"
    assert check.seen == "cpu, as asked: cpu (XNNPACK) 9: 9 CONV_2D; cpu (built-in) 1: 1 ADD"


def test_operators_that_fell_back_are_named_and_void_nothing() -> None:
    check = placement_check("cuda", {"cuda": {"Conv": 7}, "cpu": {"Gather": 2, "Shape": 1}})
    assert (check.outcome, check.invalidates) == ("failed", False)
    assert "3 of 10 operators fell back from cuda" in check.seen
    assert "cpu 3: 2 Gather, 1 Shape" in check.seen


def test_an_accelerator_that_ran_nothing_voids_everything() -> None:
    check = placement_check("cuda", {"cpu": {"Conv": 7}})
    assert (check.outcome, check.invalidates, check.metrics) == ("failed", True, ())
    assert "none of 7 operators ran on cuda" in check.seen


def test_an_accelerator_whose_name_only_begins_alike_is_another() -> None:
    assert placement_check("cpu", {"cpu2": {"Conv": 1}}).outcome == "failed"


def test_many_types_are_not_all_listed() -> None:
    check = placement_check("cpu", {"cpu": {f"Op{index}": 1 for index in range(9)}})
    assert "3 more types" in check.seen
