"""Each check passes on sound records and fails on the record that breaks it."""

from dataclasses import replace

import pytest
from trimtab_agent.records import Check, Policy
from trimtab_agent.validity import Repeat, accelerator_used, latency_checks

POLICY = Policy(
    min_duration_ns=1000,
    max_duration_ns=10_000,
    min_sample_count=10,
    warmup_duration_ns=0,
    min_warmup_count=0,
    process_timeout_ns=10**9,
)


def repeat(latency: int = 100, count: int = 10) -> Repeat:
    starts = tuple(latency * index for index in range(count))
    return Repeat(starts, (latency,) * count, measured_count=count, outputs_finite=True)


def outcomes(checks: tuple[Check, ...]) -> dict[str, str]:
    return {check.name: check.outcome for check in checks}


def broken(repeats: list[Repeat]) -> dict[str, Check]:
    return {
        check.name: check
        for check in latency_checks(repeats, POLICY)
        if check.outcome not in {"passed", "not_applicable"}
    }


def test_sound_repeats_pass_everything() -> None:
    assert set(outcomes(latency_checks([repeat(), repeat()], POLICY)).values()) == {"passed"}


@pytest.mark.parametrize(
    ("bad", "name", "invalidates", "seen"),
    [
        (repeat(90), "MIN_DURATION", True, "0.0 ms"),
        (repeat(200, count=9), "MIN_SAMPLES", True, "fewest in a repeat 9 (minimum 10)"),
        (
            replace(repeat(), start_offset_ns=(0, 200, 100, *range(300, 1000, 100))),
            "CLOCK_MONOTONIC",
            True,
            "1 samples",
        ),
        (
            replace(repeat(), latency_ns=(-1,) + (100,) * 9),
            "CLOCK_MONOTONIC",
            True,
            "1 samples end before they start",
        ),
        (replace(repeat(), measured_count=11), "NO_SAMPLE_LOST", True, "21 taken, 20 here"),
        (replace(repeat(), outputs_finite=False), "OUTPUTS_FINITE", True, "1 of 2 repeats"),
    ],
)
def test_a_broken_repeat_fails_its_check_and_no_other(
    bad: Repeat, name: str, invalidates: bool, seen: str
) -> None:
    failed = broken([repeat(), bad])
    assert set(failed) - {"BETWEEN_REPEAT_SPREAD"} == {name}
    assert failed[name].outcome == "failed"
    assert failed[name].invalidates is invalidates
    assert seen in failed[name].seen
    assert failed[name].advice


def test_a_wide_spread_between_repeats_warns_with_the_limit() -> None:
    (check,) = broken([repeat(100), repeat(130)]).values()
    assert check.name == "BETWEEN_REPEAT_SPREAD"
    assert not check.invalidates
    assert "1.30 x" in check.seen
    assert "limit 1.25" in check.seen
    assert broken([repeat(100), repeat(120)]) == {}


def test_one_repeat_has_no_spread() -> None:
    assert outcomes(latency_checks([repeat()], POLICY))["BETWEEN_REPEAT_SPREAD"] == "not_applicable"


def test_what_a_worker_did_not_say_is_unknown_and_not_passed() -> None:
    silent = replace(repeat(), measured_count=None, outputs_finite=None)
    found = outcomes(latency_checks([silent, repeat()], POLICY))
    assert found["NO_SAMPLE_LOST"] == "unknown"
    assert found["OUTPUTS_FINITE"] == "unknown"


def test_no_repeats_pass_nothing_that_counts_samples() -> None:
    found = outcomes(latency_checks([], POLICY))
    assert found["MIN_DURATION"] == found["MIN_SAMPLES"] == "failed"
    assert found["OUTPUTS_FINITE"] == "unknown"


def test_another_accelerator_than_asked_voids_everything() -> None:
    check = accelerator_used("cuda", "cpu")
    assert (check.outcome, check.invalidates, check.metrics) == ("failed", True, ())
    assert accelerator_used("cuda", "cuda").outcome == "unknown"
