"""What passes hear of the device that they compress for; the agent is a stand-in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from trimtab.campaign import target_device
from trimtab.campaign.dispatching import rules_of
from trimtab.campaign.fleet import Campaign
from trimtab.campaign.plan import plan_arms
from trimtab.campaign.target_device import devices_of
from trimtab.compress.device import Devices
from trimtab.compress.passes import PassRejected
from trimtab.fleet.inventory import Inventory
from trimtab.operator_profile import OperatorProfile, OperatorTime
from trimtab.project import DispatchSettings, MeasureSettings
from trimtab.records import Metric, RawArm, Result
from trimtab.task import Task, load_task
from trimtab_protos.errors import Failure


class Fleet:
    """Answers with ``results``, in turn."""

    def __init__(self, results: tuple[Result, ...]) -> None:
        self.results = results
        self.campaigns: list[Campaign] = []

    async def __call__(self, campaign: Campaign, *_: object) -> list[Result]:
        self.campaigns.append(campaign)
        return [self.results[len(self.campaigns) - 1]]


@pytest.fixture
def task(tmp_path: Path) -> Task:
    path = tmp_path / "task.py"
    path.write_text("def model(): ...\ndef example_inputs(): ...\n")
    return load_task(path, seed=0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.tflite"
    path.write_bytes(b"\0" * 2_000_000)
    return path


@pytest.fixture
def inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Inventory:
    monkeypatch.setenv("TRIMTAB_HOME", str(tmp_path))
    return Inventory(tmp_path / "devices.toml")


@pytest.fixture
def measured(
    task: Task, inventory: Inventory, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Devices, Fleet]]:
    """The devices, and what is asked of the fleet that answers with these results."""

    def make(*results: Result, **measure: Any) -> tuple[Devices, Fleet]:
        fleet = Fleet(results)
        monkeypatch.setattr(target_device, "measure_fleet", fleet)
        return devices_of(task, MeasureSettings(**measure)), fleet

    return make


Measured = Callable[..., tuple[Devices, Fleet]]


def test_a_file_is_measured_once_for_all_figures(
    measured: Measured, make_result: Callable[..., Result], file: Path, tmp_path: Path
) -> None:
    devices, fleet = measured(make_result(None, latency_p50_ms=0.5, memory_peak_mb=30))
    device = devices("local")
    same_bytes = tmp_path / "other.tflite"
    same_bytes.write_bytes(file.read_bytes())

    assert device.figure(file, "tflite", "latency_p50_ms") == 0.5
    assert device.figure(same_bytes, "tflite", "memory_peak_mb") == 30
    assert devices("local").figure(file, "tflite", "latency_p50_ms") == 0.5
    assert len(fleet.campaigns) == 1


def test_sizes_come_without_measuring(measured: Measured, file: Path) -> None:
    devices, fleet = measured()

    assert devices("local").figure(file, "tflite", "size_mb") == 2.0
    assert devices("local").figure(file, "tflite", "download_mb") < 0.01
    assert not fleet.campaigns


def test_the_projects_settings_are_measured_with(
    measured: Measured, make_result: Callable[..., Result], file: Path
) -> None:
    devices, fleet = measured(
        make_result(None, latency_p50_ms=0.5),
        policy="normal",
        runtimes=("litert", "openvino"),
        threads=(2, 4),
        max_retries=7,
    )
    devices("local").figure(file, "tflite", "latency_p50_ms")

    (arm,) = plan_arms(fleet.campaigns[0].candidates, fleet.campaigns[0].choices, None)
    assert (arm.settings.runtime, arm.settings.threads) == ("litert", 2)
    assert (arm.settings.policy, arm.settings.repeats, arm.settings.max_retries) == ("normal", 5, 7)


def test_the_projects_rules_hold_for_what_passes_measure(
    task: Task,
    inventory: Inventory,
    make_result: Callable[..., Result],
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fleet = Fleet((make_result(None, latency_p50_ms=0.5),))
    monkeypatch.setattr(target_device, "measure_fleet", fleet)
    rules = rules_of(DispatchSettings(attempts=7, patience_s=5, min_disk_free_mb=200))
    devices_of(task, MeasureSettings(), rules=rules)("local").figure(
        file, "tflite", "latency_p50_ms"
    )

    used = fleet.campaigns[0].rules
    assert (used.attempts, used.patience_s, used.health.min_disk_free_mb) == (7, 5, 200)


def test_an_invalid_figure_is_refused_with_its_reason_and_measured_again_when_asked_again(
    measured: Measured, make_result: Callable[..., Result], file: Path
) -> None:
    invalid = Metric(0.9, "ms", "measured", valid=False, reason="STEADY: it was throttled")
    devices, fleet = measured(
        make_result(None, latency_p50_ms=invalid), make_result(None, latency_p50_ms=0.5)
    )
    device = devices("local")

    with pytest.raises(PassRejected, match="on local: latency_p50_ms is invalid: STEADY: it was"):
        device.figure(file, "tflite", "latency_p50_ms")
    assert device.figure(file, "tflite", "latency_p50_ms") == 0.5
    assert len(fleet.campaigns) == 2


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ("energy_mj", "energy_mj is unavailable: no sensor"),
        ("speedup", "speedup is unavailable: it compares with the float model"),
        ("latency", "there is no metric latency; there are latency_p50_ms"),
    ],
)
def test_a_figure_that_is_not_there_is_refused_with_the_reason(
    metric: str, said: str, measured: Measured, make_result: Callable[..., Result], file: Path
) -> None:
    missing = Metric(None, "mJ", "unavailable", reason="no sensor")
    devices, _ = measured(make_result(None, energy_mj=missing))

    with pytest.raises(PassRejected, match=said):
        devices("local").figure(file, "tflite", metric)


def test_a_file_that_fails_on_the_device_is_refused_with_the_runtimes_words(
    measured: Measured, make_result: Callable[..., Result], file: Path
) -> None:
    devices, _ = measured(make_result(None, error=Failure("model", "unsupported operator GATHER")))

    with pytest.raises(PassRejected, match="on local: model: unsupported operator GATHER"):
        devices("local").figure(file, "tflite", "latency_p50_ms")


def test_operators_of_one_name_add_up_and_the_profile_serves_figures_too(
    measured: Measured,
    make_result: Callable[..., Result],
    make_raw_arm: Callable[..., RawArm],
    file: Path,
) -> None:
    operators = tuple(
        OperatorTime("Conv", name, "cpu", 1, ms, None)
        for name, ms in (("a", 0.2), ("b", 0.1), ("a", 0.3))
    )
    raw = replace(make_raw_arm(), profile=OperatorProfile(operators, 100, 0.7))
    devices, fleet = measured(make_result(None, raw=raw, latency_p50_ms=0.6))

    times = devices("local").operator_times(file, "tflite")
    assert times == {"a": pytest.approx(0.5), "b": pytest.approx(0.1)}
    assert fleet.campaigns[0].profile
    assert devices("local").figure(file, "tflite", "latency_p50_ms") == 0.6
    assert len(fleet.campaigns) == 1


def test_a_runtime_that_cannot_time_operators_is_refused_with_its_reason(
    measured: Measured,
    make_result: Callable[..., Result],
    make_raw_arm: Callable[..., RawArm],
    file: Path,
) -> None:
    raw = replace(make_raw_arm(), profile=OperatorProfile(unavailable="XNNPACK is one operator"))
    devices, _ = measured(make_result(None, raw=raw))

    with pytest.raises(PassRejected, match="operators have no times: XNNPACK is one operator"):
        devices("local").operator_times(file, "tflite")


def test_a_selector_must_name_exactly_one_device(task: Task, inventory: Inventory) -> None:
    for name in ("attic", "cellar"):
        inventory.add(name, f"unix:/nowhere/{name}", {"kind": "pi5"})
    devices = devices_of(task, MeasureSettings(), own=("cellar",))

    assert devices("attic").name == "attic"
    assert devices("").name == "cellar"
    with pytest.raises(PassRejected, match="label:kind=pi5 names 2 devices, attic, cellar"):
        devices("label:kind=pi5")
    with pytest.raises(PassRejected, match="no device matches garage; known devices: local, attic"):
        devices("garage")
