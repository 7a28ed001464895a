"""Settings of [dispatch] on the command line: as options, and by --set."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner, Result
from trimtab.cli.bench import bench
from trimtab.cli.dispatching import take_dispatch
from trimtab.project import DispatchSettings, MeasureSettings
from trimtab.records import UserError

OPTIONS = ("arms_per_job", "attempts", "patience", "job_deadline", "deadline")


def given(*changes: str, **options: Any) -> dict[str, Any]:
    return {**dict.fromkeys(OPTIONS), **options, "changes": changes}


def test_a_setting_of_dispatch_is_taken_out_of_set_and_the_others_stay() -> None:
    measure = given("repeats=3", "min_disk_free_mb=200", "max_temperature_c=70.5", attempts=5)

    assert take_dispatch(measure) == {
        "attempts": 5,
        "min_disk_free_mb": 200,
        "max_temperature_c": 70.5,
    }
    assert measure == {"changes": ("repeats=3",)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("min_battery_percent=101", "min_battery_percent is 101; allowed: 100.0 or less"),
        ("max_temperature_c=hot", 'max_temperature_c is the string "hot"; allowed: a number'),
        ("deadline_s=soon", "deadline_s is soon; allowed: a duration"),
        ("attempts=4", "attempts is given twice"),
    ],
)
def test_a_wrong_one_is_refused_in_one_line(text: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        take_dispatch(given(text, attempts=3))
    assert caught.value.message.startswith(f"--set {text}: {said}")


def test_no_setting_is_in_both_tables() -> None:
    assert DispatchSettings.model_fields.keys().isdisjoint(MeasureSettings.model_fields)


@pytest.mark.parametrize("how", [("--arms-per-job", "1"), ("--set", "arms_per_job=1")])
def test_jobs_apart_are_refused_where_two_take_turns_in_one(how: tuple[str, str]) -> None:
    refused: Result = CliRunner().invoke(bench, ["m.onnx", "n.onnx", "--compare", *how])
    assert isinstance(refused.exception, UserError)
    assert refused.exception.message.startswith("--compare with --arms-per-job")
