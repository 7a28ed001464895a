"""A profile as it is read, printed, and written as JSON."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from trimtab.operator_profile import OperatorProfile, profile_from, read_profile
from trimtab.records import RawArm, Result
from trimtab.report.profile_view import (
    print_profiles,
    profile_json,
    profile_notes,
    profile_rows,
)
from trimtab.store.codec import plain


def document(durations_ns: list[float | None], **changes: Any) -> dict[str, Any]:
    operators = [
        {
            "type": "Conv",
            "name": f"conv{index}",
            "ran_on": "cpu",
            "count": 1.0,
            "duration_ns": duration,
        }
        for index, duration in enumerate(durations_ns)
    ]
    values = {
        "schema": "trimtab.profile/1",
        "inference_count": 40,
        "p50_ns": 500_000,
        "operators": operators,
        "times_unavailable": "" if None not in durations_ns else "not told",
    }
    return {**values, **changes}


@pytest.fixture
def read(tmp_path: Path) -> Callable[[Any], OperatorProfile]:
    def read_back(content: Any) -> OperatorProfile:
        path = tmp_path / "profile.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return read_profile(path)

    return read_back


Read = Callable[[Any], OperatorProfile]


def test_shares_sum_to_one_and_the_rest_is_what_the_median_has_beyond(read: Read) -> None:
    profile = read(document([300_000, 0, 100_000]))
    assert [each.share for each in profile.operators] == [0.75, 0.0, 0.25]
    assert profile.operators_ms == pytest.approx(0.4)
    assert profile.unexplained_ms == pytest.approx(0.1)
    (note,) = profile_notes(profile)
    assert "operators 0.4 ms of the profile pass's p50 0.5 ms (40 inferences)" in note
    assert "unexplained 0.1 ms" in note


def test_times_of_something_else_say_so(read: Read) -> None:
    notes = profile_notes(read(document([300_000], source="times of another engine")))
    assert notes[0] == "times of another engine"
    assert len(notes) == 2


def test_without_times_nothing_is_made_up(read: Read) -> None:
    profile = read(document([None, None]))
    assert profile.operators_ms is None
    assert profile.unexplained_ms is None
    assert [each.share for each in profile.operators] == [None, None]
    assert profile_notes(profile) == ["times unavailable: not told"]
    assert profile_rows(profile)[0] == ("Conv", "conv0", "1", "–", "–", "cpu")


def test_operators_that_took_no_time_have_no_share(read: Read) -> None:
    assert [each.share for each in read(document([0, 0])).operators] == [None, None]


@pytest.mark.parametrize(
    "content",
    ["{", "[]", "{}", document([1], schema="trimtab.profile/2"), document([1], operators=[{}])],
)
def test_what_is_no_profile_is_unavailable_with_the_reason(read: Read, content: Any) -> None:
    profile = read(content)
    assert profile.operators == ()
    assert profile.unavailable


def test_the_dearest_come_first_and_the_rest_is_one_row(read: Read) -> None:
    profile = read(document([float(1000 * index) for index in range(20)]))
    rows = profile_rows(profile)
    assert len(rows) == 16
    assert rows[0][1] == "conv19"
    assert rows[-1] == ("5 more", "", "5", "0.0100", "5.3%", "cpu")
    assert sum(float(row[4].rstrip("%")) for row in rows) == pytest.approx(100, abs=1)


def test_long_names_are_shortened_in_the_table_alone(read: Read) -> None:
    content = document([1000])
    content["operators"][0]["name"] = "fused;" * 40
    profile = read(content)
    assert len(profile_rows(profile)[0][1]) == 48
    assert (profile_json(profile) or {})["operators"][0]["name"] == "fused;" * 40


def test_json_has_every_operator_and_both_sums(read: Read) -> None:
    content = profile_json(read(document([300_000, 100_000])))
    assert content is not None
    assert len(content["operators"]) == 2
    assert content["operators_ms"] + content["unexplained_ms"] == pytest.approx(content["p50_ms"])
    assert profile_json(None) is None


def test_the_store_gives_the_same_profile_back(read: Read) -> None:
    profile = read(document([300_000, 100_000]))
    assert profile_from(json.loads(json.dumps(plain(profile)))) == profile
    assert profile_from(None) is None


def test_each_profiled_result_is_printed_and_no_other(
    read: Read, make_result: Callable[..., Result], make_raw_arm: Callable[..., RawArm]
) -> None:
    profiled = replace(make_raw_arm(), profile=read(document([300_000, 100_000])))
    results = [make_result("float", raw=profiled), make_result("int8", raw=make_raw_arm())]
    stream = io.StringIO()
    print_profiles(results, Console(file=stream, width=120, no_color=True))
    text = stream.getvalue()
    assert text.count("Operators of") == 1
    assert "Operators of float (onnx, onnxruntime), 1 thread on local" in text
    assert "75.0%" in text
