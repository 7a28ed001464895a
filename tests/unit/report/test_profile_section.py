"""Operator profiles on the page: what is dearest, where it ran, what fell back."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from trimtab.operator_profile import OperatorProfile, OperatorTime
from trimtab.records import RawArm, Result, Run
from trimtab.report.html import render_report
from trimtab.report.profile_section import MOST_ROWS, ProfileView, profile_views

MakeResult = Callable[..., Result]
SPLIT = OperatorProfile(
    operators=(
        OperatorTime("Relu", "r<1>", "cpu", 1, 0.1, 0.1),
        OperatorTime("Conv", "c1", "cuda", 1, 0.6, 0.6),
        OperatorTime("Conv", "c2", "cuda (fused)", 2, 0.3, 0.3),
    ),
    inference_count=40,
    p50_ms=1.5,
    source="times of another engine",
)


@pytest.fixture
def profiled(make_result: MakeResult, make_raw_arm: Callable[..., RawArm]) -> Callable[..., Result]:
    def make(profile: OperatorProfile, accelerator: str = "cuda") -> Result:
        result = make_result("float", raw=replace(make_raw_arm(), profile=profile))
        return replace(result, settings=replace(result.settings, accelerator=accelerator))

    return make


def view(result: Result) -> ProfileView:
    (found,) = profile_views([result], ["float"])
    return found


def test_types_are_summed_and_fall_backs_counted_with_their_share(
    profiled: Callable[..., Result],
) -> None:
    found = view(profiled(SPLIT))
    assert found.summary == (
        "Conv 90.0%, Relu 10.0% · operators: 1 on cpu, 1 on cuda, 2 on cuda (fused)"
    )
    assert found.fallback == "1 of 4 operators fell back from cuda, 10.0% of the time"
    assert [(row.name, row.percent, row.fell_back) for row in found.rows] == [
        ("c1", 60.0, False),
        ("c2", 30.0, False),
        ("r<1>", 10.0, True),
    ]


def test_nothing_fell_back_where_all_ran_as_asked(profiled: Callable[..., Result]) -> None:
    on_cpu = replace(SPLIT, operators=SPLIT.operators[:1])
    assert view(profiled(on_cpu, "cpu")).fallback == ""


def test_without_times_places_are_told_and_no_share_is_made_up(
    profiled: Callable[..., Result],
) -> None:
    bare = tuple(replace(each, total_ms=None, share=None) for each in SPLIT.operators)
    found = view(profiled(OperatorProfile(bare, unavailable="not told")))
    assert found.summary == "operators: 1 on cpu, 1 on cuda, 2 on cuda (fused)"
    assert found.fallback == "1 of 4 operators fell back from cuda"
    assert {(row.time, row.share, row.percent) for row in found.rows} == {("–", "–", None)}
    assert found.notes == ("times unavailable: not told",)


def test_a_profile_without_operators_says_why(profiled: Callable[..., Result]) -> None:
    found = view(profiled(OperatorProfile(unavailable="the runtime tells nothing")))
    assert (found.summary, found.rows) == ("no operators told", ())
    assert found.notes == ("times unavailable: the runtime tells nothing",)


def test_many_operators_end_in_one_row(profiled: Callable[..., Result]) -> None:
    many = tuple(OperatorTime("Conv", f"c{i}", "cuda", 1, 0.01, 0.005) for i in range(200))
    rows = view(profiled(replace(SPLIT, operators=many))).rows
    assert len(rows) == MOST_ROWS + 1
    assert (rows[-1].operator, rows[-1].share) == ("100 more", "50.0%")


def test_what_was_not_profiled_has_no_view(make_result: MakeResult) -> None:
    assert profile_views([make_result("a")], ["a"]) == ()


def test_the_page_has_the_table_with_bars_and_names_as_text(
    profiled: Callable[..., Result],
) -> None:
    run = Run("id", "r", "2026-01-01T00:00:00+00:00", (), (profiled(SPLIT),))
    source = render_report(run)
    assert "--share: 60.0%" in source
    assert "r&lt;1&gt;" in source
    assert "1 of 4 operators fell back from cuda" in source
    assert "times of another engine" in source
    assert "--share" not in render_report(replace(run, results=())).partition("</style>")[2]
