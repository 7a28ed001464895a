"""The named policies, and how they reach the device."""

from dataclasses import replace
from typing import Any

import pytest
from trimtab.cli.options import overridden
from trimtab.fleet.convert_policy import policy_to_proto
from trimtab.measure import stats
from trimtab.measure_policies import (
    PERCENTILE_SAMPLES,
    POLICIES,
    describe,
    policy_fields,
    samples_for_percentile,
)
from trimtab.records import MeasurementSettings, UserError

QUICK = MeasurementSettings(runtime="null")


def test_the_records_defaults_are_the_quick_policy() -> None:
    assert replace(QUICK, **policy_fields("quick")) == QUICK


@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_sets_the_same_fields_and_can_be_met(name: str) -> None:
    settings = replace(QUICK, **policy_fields(name))
    assert set(POLICIES[name]) == set(POLICIES["quick"])
    assert settings.min_duration_s < settings.max_duration_s
    assert settings.warmup_s < settings.max_warmup_s
    assert settings.policy == name


def test_a_stricter_policy_asks_for_more() -> None:
    def asks(name: str) -> tuple[float, ...]:
        policy = POLICIES[name]
        return policy["repeats"], policy["min_duration_s"], policy["max_retries"]

    assert asks("quick") < asks("normal") < asks("strict")


def test_percentiles_need_what_the_statistics_demand() -> None:
    for name, needed in PERCENTILE_SAMPLES.items():
        assert needed == stats.required_samples(int(name[1:]) / 100)


def test_a_percentiles_samples_are_shared_by_the_repeats() -> None:
    settings = replace(QUICK, percentile="p99", repeats=5)
    count = policy_to_proto(settings).percentile_sample_count
    assert count * 5 >= samples_for_percentile("p99") > (count - 1) * 5


def test_what_is_not_asked_for_is_not_sent() -> None:
    policy = policy_to_proto(replace(QUICK, steady_tolerance=0.0))
    assert not policy.HasField("max_warmup_duration")
    assert not policy.HasField("cooldown_timeout")
    assert policy.memory_limit_bytes == 0
    asked = policy_to_proto(replace(QUICK, max_start_temperature_c=50.0, memory_limit_mb=64.0))
    assert asked.cooldown_timeout.seconds == 300
    assert asked.memory_limit_bytes == 64_000_000
    assert asked.max_warmup_duration.seconds == 1


def test_the_command_line_takes_a_policy_and_single_settings_over_it() -> None:
    options: dict[str, Any] = {"policy": "normal", "repeats": 7, "pin": "1,0"}
    settings = replace(QUICK, **overridden({**options, "cooldown_timeout": "2m"}))
    assert (settings.policy, settings.repeats, settings.cpu_affinity) == ("normal", 7, (1, 0))
    assert settings.min_duration_s == POLICIES["normal"]["min_duration_s"]
    assert settings.cooldown_timeout_s == 120.0
    assert overridden({"policy": None, "changes": (), "profile": False}) == {}


def test_set_changes_any_setting_and_a_policy_set_so_is_a_policy() -> None:
    given = overridden({"rate": 30.0, "changes": ("policy=strict", "max_retries=0")})
    scenario = {"rate_hz": 30.0, "batch_size": None, "sustain_s": None}
    assert given == {**policy_fields("strict"), **scenario, "max_retries": 0}


@pytest.mark.parametrize(
    "measure",
    [
        {"repeats": 3, "changes": ("repeats=4",)},
        {"changes": ("repeats=3", "repeats=3")},
        {"policy": "quick", "changes": ("policy=normal",)},
        {"min_duration": "1s", "changes": ("min_duration_s=1",)},
    ],
)
def test_a_setting_is_given_once(measure: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="given twice"):
        overridden(measure)


@pytest.mark.parametrize("text", ["", "a", "0,", "1,1", "-1", "0-3"])
def test_processors_are_numbers_each_once(text: str) -> None:
    with pytest.raises(UserError, match="not processors"):
        overridden({"pin": text})


def test_what_differs_from_the_policy_is_marked() -> None:
    text = describe(replace(QUICK, repeats=4))
    assert text.startswith("policy quick: repeats=4* min_duration_s=0.5 ")
    assert text.count("*") == 1
    assert text.endswith("max_retries=1")


def test_what_no_policy_sets_stands_behind_it_where_it_was_asked_for() -> None:
    settings = replace(QUICK, cpu_affinity=(2, 3), rate_hz=30.0, min_sqnr_db=20.0, threads=4)
    assert describe(settings).endswith("; rate_hz=30 cpu_affinity=2,3 min_sqnr_db=20")
