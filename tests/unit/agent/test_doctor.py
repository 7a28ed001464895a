"""The doctor says what was seen and what to do."""

from trimtab_agent.doctor import (
    NULL_BOUND_NS,
    clock_finding,
    clock_resolution_ns,
    examine,
    governor_finding,
    load_finding,
    null_finding,
    sensor_findings,
)
from trimtab_agent.records import SensorInfo


def test_an_examination_measures_the_harness_and_names_every_matter() -> None:
    findings = {finding.name: finding for finding in examine()}
    assert {"clock", "harness", "governor", "background load", "temperature", "power"} <= set(
        findings
    )
    assert findings["runtime null"].outcome == "ok"
    assert "ns median for a null runtime" in findings["harness"].seen


def test_the_clock_is_judged_by_its_smallest_step() -> None:
    ticks = iter(range(0, 10**9, 20_000))
    assert clock_resolution_ns(lambda: next(ticks)) == 20_000
    assert clock_resolution_ns(lambda: 5) == 0
    assert clock_finding(100).outcome == "ok"
    assert clock_finding(20_000).outcome == clock_finding(0).outcome == "warning"


def test_what_disturbs_comes_with_advice() -> None:
    assert "scaling_governor" in governor_finding("powersave").advice
    assert governor_finding("performance").outcome == "ok"
    assert governor_finding("unknown: no cpufreq").outcome == "unknown"
    assert load_finding(0.5).advice
    assert load_finding(0.01).outcome == "ok"
    assert load_finding(None).outcome == "unknown"
    assert null_finding("it crashed").outcome == "warning"
    assert null_finding(NULL_BOUND_NS).outcome == "ok"
    slow = null_finding(NULL_BOUND_NS + 1)
    assert (slow.outcome, "501 ns median" in slow.seen, "500 ns" in slow.advice) == (
        "warning",
        True,
        True,
    )


def test_sensors_are_told_or_their_absence() -> None:
    temperature = SensorInfo("thermal/thermal_zone0", "Cel", "cpu", "instantaneous", 0)
    power = SensorInfo("hwmon/hwmon0/power1_input", "mW", "board", "instantaneous", 0)
    told = sensor_findings((temperature, power), None)
    assert [finding.outcome for finding in told] == ["ok", "ok"]
    missing = sensor_findings((), "no power sensor found (looked for x)")
    assert [finding.outcome for finding in missing] == ["unknown", "unknown"]
    assert missing[1].seen == "no power sensor found (looked for x)"
