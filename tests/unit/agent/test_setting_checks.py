"""Settings that must be known and stay as they are while measuring."""

from collections.abc import Mapping

import pytest
from trimtab_agent.records import Check
from trimtab_agent.setting_checks import setting_checks

LAPTOP = {
    "governor": "performance",
    "power_mode": "balanced (platform profile)",
    "boost": "on",
    "power_source": "mains",
}
VIRTUAL_MACHINE = {
    "governor": "unknown: the kernel has no cpufreq here",
    "power_mode": "none: no platform profile here",
    "boost": "none: no switch",
    "power_source": "none: no battery",
}


def found(*looks: Mapping[str, str]) -> dict[str, Check]:
    return {check.name: check for check in setting_checks(looks)}


def outcomes(*looks: Mapping[str, str]) -> dict[str, str]:
    return {name: check.outcome for name, check in found(*looks).items()}


def test_settings_that_are_known_and_stay_pass() -> None:
    assert set(outcomes(LAPTOP, LAPTOP, LAPTOP).values()) == {"passed"}


def test_what_a_machine_lacks_does_not_apply_and_no_governor_is_the_only_unknown() -> None:
    assert outcomes(VIRTUAL_MACHINE, VIRTUAL_MACHINE) == {
        "GOVERNOR": "unknown",
        "POWER_MODE": "not_applicable",
        "POWER_SOURCE": "not_applicable",
    }


@pytest.mark.parametrize(
    ("setting", "value", "name", "seen"),
    [
        ("governor", "powersave", "GOVERNOR", "performance -> powersave"),
        ("power_mode", "low-power (platform profile)", "POWER_MODE", "low-power"),
        ("boost", "off", "POWER_MODE", "boost on -> balanced (platform profile), boost off"),
        ("power_source", "battery", "POWER_SOURCE", "mains -> battery"),
    ],
)
def test_a_change_voids_the_latency_even_if_it_is_undone_in_the_end(
    setting: str, value: str, name: str, seen: str
) -> None:
    changed = {**LAPTOP, setting: value}
    for looks in ((LAPTOP, changed), (LAPTOP, changed, LAPTOP)):
        checks = found(*looks)
        check = checks.pop(name)
        assert (check.outcome, check.invalidates) == ("failed", True)
        assert check.metrics == ("latency", "energy", "power", "battery")
        assert seen in check.seen
        assert check.advice
        assert {other.outcome for other in checks.values()} == {"passed"}


def test_a_battery_throughout_warns_with_the_cure() -> None:
    on_battery = {**LAPTOP, "power_source": "battery"}
    check = found(on_battery, on_battery)["POWER_SOURCE"]
    assert (check.outcome, check.invalidates) == ("failed", False)
    assert "mains" in check.advice


def test_a_look_that_tells_nothing_is_unknown_and_not_unchanged() -> None:
    silent = {**LAPTOP, "governor": "unknown: the file could not be read"}
    check = found(LAPTOP, silent)["GOVERNOR"]
    assert (check.outcome, check.seen) == ("unknown", "unknown: the file could not be read")
    assert set(outcomes({}, {}).values()) == {"unknown"}
