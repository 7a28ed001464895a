"""The settings in force on the page: all of them, and which were not the policy's."""

from collections.abc import Callable
from dataclasses import fields, replace

import pytest
from trimtab.records import MeasurementSettings, Result
from trimtab.report.settings_view import SettingRow, SettingsView, settings_view

MakeResult = Callable[..., Result]


@pytest.fixture
def view(make_result: MakeResult) -> Callable[..., SettingsView]:
    def make(*changes: dict[str, object]) -> SettingsView:
        results = [make_result(f"v{number}") for number in range(len(changes))]
        changed = [
            replace(result, settings=replace(result.settings, **change))  # type: ignore[arg-type]
            for result, change in zip(results, changes, strict=True)
        ]
        found = settings_view(changed, [f"v{number}" for number in range(len(changes))])
        assert found is not None
        return found

    return make


View = Callable[..., SettingsView]


def row(view: SettingsView, name: str) -> SettingRow:
    (found,) = [each for each in view.rows if each.name == name]
    return found


def test_every_recorded_setting_is_there_and_explained_policy_first(view: View) -> None:
    rows = view({}).rows
    assert sorted(each.name for each in rows) == sorted(
        field.name for field in fields(MeasurementSettings)
    )
    assert rows[0].name == "policy"
    assert [each.name for each in rows if not each.meaning] == []
    assert [each.name for each in rows if each.usual] == []


def test_what_differs_from_the_policy_or_the_default_says_what_it_stands_for(view: View) -> None:
    found = view({"policy": "strict", "repeats": 3, "min_sqnr_db": 20.0, "max_duration_s": 20.0})
    assert (row(found, "repeats").value, row(found, "repeats").usual) == ("3", "6")
    assert (row(found, "min_sqnr_db").value, row(found, "min_sqnr_db").usual) == ("20", "6")
    assert row(found, "max_duration_s").usual == "60"


def test_what_differs_between_candidates_names_them(view: View) -> None:
    found = view({"threads": 1, "repeats": 3}, {"threads": 2, "repeats": 5})
    assert row(found, "repeats").value == "3 (v0); 5 (v1)"
    assert row(found, "threads").value == "1, 2"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "one inference after the other, back to back"),
        ({"rate_hz": 30.0}, "30 inferences a second"),
        ({"batch_size": 8}, "batches of 8, back to back"),
    ],
)
def test_the_summary_tells_policy_repeats_and_scenario(
    view: View, change: dict[str, object], said: str
) -> None:
    assert view(change).summary == (
        f"policy quick (a first look) · 3 processes per candidate · {said}"
    )


def test_without_results_there_are_no_settings() -> None:
    assert settings_view([], []) is None
