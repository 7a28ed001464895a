"""The doctor says what can be measured and what disturbs, and the command that helps."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from trimtab_agent import cli
from trimtab_agent.doctor.abilities import ability_findings, memory_finding, sensor_findings
from trimtab_agent.doctor.examination import examine
from trimtab_agent.doctor.finding import Examination, Finding
from trimtab_agent.doctor.harness import (
    NULL_BOUND_NS,
    clock_finding,
    clock_resolution_ns,
    clocksource,
    null_finding,
)
from trimtab_agent.records import RuntimeInfo, SensorInfo
from trimtab_agent.tables import examination_lines

Plant = Callable[[dict[str, str]], Path]

_UNUSABLE = RuntimeInfo("onnxruntime", "", "", ("onnx",), (), "no module named onnxruntime")
_USABLE = RuntimeInfo("onnxruntime", "1.23", "onnxruntime", ("onnx",), ("cpu",))


def by_name(findings: tuple[Finding, ...]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


def test_an_examination_measures_the_harness_and_names_every_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("trimtab_agent.doctor.examination.running_workers", lambda: ())
    found = examine()
    abilities, harness = by_name(found.abilities), by_name(found.harness)
    assert abilities["runtime null"].outcome == "ok"
    assert {"memory", "pinning", "throttling", "temperature", "power"} <= set(abilities)
    assert "ns median for a null runtime" in harness["harness"].seen
    assert "steps of" in harness["clock"].seen
    assert harness["isolation"].outcome != "unknown"
    assert [finding.name for finding in found.disturbances] == [
        "other measurements",
        "background load",
        "governor",
        "power mode",
        "boost",
        "power source",
        "throttling now",
        "thermal headroom",
        "free memory",
        "swap",
        "disk",
    ]


def test_a_worker_of_another_agent_is_left_in_peace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trimtab_agent.doctor.examination.running_workers", lambda: (4242,))
    found = examine()
    assert "4242" in by_name(found.disturbances)["other measurements"].seen
    assert found.voids
    assert [finding.name for finding in found.harness] == ["clock"], "no worker was started"
    assert by_name(found.abilities)["runtimes"].outcome == "unknown"


def test_the_clock_is_judged_by_its_smallest_step(plant: Plant) -> None:
    ticks = iter(range(0, 10**9, 20_000))
    assert clock_resolution_ns(lambda: next(ticks)) == 20_000
    assert clock_resolution_ns(lambda: 5) == 0
    assert clock_finding(100).outcome == "ok"
    assert clock_finding(20_000).outcome == clock_finding(0).outcome == "warning"
    assert clock_finding(0).voids
    assert not clock_finding(20_000).voids
    folder = "sys/devices/system/clocksource/clocksource0/current_clocksource"
    assert (
        "arch_sys_counter"
        in clock_finding(54, clocksource(plant({folder: "arch_sys_counter\n"}))).seen
    )
    assert null_finding("it crashed").outcome == "warning"
    assert null_finding(NULL_BOUND_NS).outcome == "ok"
    slow = null_finding(NULL_BOUND_NS + 1)
    assert (slow.outcome, "501 ns median" in slow.seen, "500 ns" in slow.advice) == (
        "warning",
        True,
        True,
    )


def test_what_the_usable_runtimes_can_measure_is_named(tmp_path: Path) -> None:
    found = by_name(ability_findings(tmp_path, (_USABLE,), (0, 1)))
    assert "onnxruntime" in found["latency"].seen
    assert "onnxruntime" in found["accuracy"].seen
    assert "time" in found["operator profiles"].seen
    assert found["pinning"].seen == "to processors 0, 1"


def test_without_a_usable_runtime_no_latency_can_be_had(tmp_path: Path) -> None:
    found = by_name(ability_findings(tmp_path, (_UNUSABLE,), ()))
    assert found["latency"].voids
    assert "pip install" in found["latency"].advice
    assert "accuracy" not in found
    assert found["pinning"].outcome == "unknown"


def test_peaks_need_a_kernel_that_resets_them(tmp_path: Path) -> None:
    assert memory_finding(tmp_path / "clear_refs").outcome == "warning"
    (tmp_path / "clear_refs").touch()
    assert memory_finding(tmp_path / "clear_refs").outcome == "ok"


def test_sensors_are_told_or_their_absence() -> None:
    temperature = SensorInfo("thermal/thermal_zone0", "Cel", "cpu", "instantaneous", 0)
    power = SensorInfo("hwmon/hwmon0/power1_input", "mW", "board", "instantaneous", 0)
    told = sensor_findings((temperature, power), None)
    assert [finding.outcome for finding in told] == ["ok", "ok"]
    missing = sensor_findings((), "no power sensor found (looked for x)")
    assert [finding.outcome for finding in missing] == ["unknown", "unknown"]
    assert missing[1].seen == "no power sensor found (looked for x)"


@pytest.mark.parametrize(("voids", "code"), [(True, 1), (False, 0)])
def test_the_exit_code_and_the_last_line_say_whether_to_measure_now(
    monkeypatch: pytest.MonkeyPatch, voids: bool, code: int
) -> None:
    load = Finding("background load", "warning", "90% by stress", "stop it", voids)
    found = Examination((), (), (load,))
    monkeypatch.setattr("trimtab_agent.doctor.examination.examine", lambda root, state: found)
    table = CliRunner().invoke(cli.main, ["doctor"])
    assert table.exit_code == code
    assert table.output.splitlines() == list(examination_lines(found))
    assert ("would be INVALID" in table.output.splitlines()[-1]) is voids
    machine = CliRunner().invoke(cli.main, ["doctor", "--format", "json"])
    assert machine.exit_code == code
    content = json.loads(machine.output)
    assert content["schema"] == "trimtab.doctor/1"
    assert content["voids_latency"] is voids
    assert content["disturbances"][0]["advice"] == "stop it"
