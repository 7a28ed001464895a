"""Which sensors stand for the device, and the table of all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from trimtab.measure.energy import NoEnergy, energy_figures, rails
from trimtab.measure.energy.uncertain import (
    MANY_DEGREES,
    Uncertain,
    independent_sum,
    simultaneous_sum,
)
from trimtab.measure.energy.whole_device import whole_device
from trimtab.records import MeasurementSettings, RawArm, RawRepeat, SensorInfo, SensorSeries

MakeRepeat = Callable[..., RawRepeat]
MakeArm = Callable[..., RawArm]
SETTINGS = MeasurementSettings("onnxruntime")


def sensor(name: str, role: object, period_ms: int = 10, reason: str = "") -> SensorInfo:
    period_ns = period_ms * 1_000_000
    info = SensorInfo(name, "mW", f"rail {name}", reason, "instantaneous", None, period_ns)
    return replace(info, role=role)  # type: ignore[arg-type]


def test_a_total_comes_before_what_could_be_added_up() -> None:
    found = whole_device([sensor("cpu", "part"), sensor("in", "total"), sensor("a", "addend")])
    assert [each.name for each in found.sensors] == ["in"]
    assert found.scope == "in: rail in"


def test_of_several_totals_the_one_that_updates_most_often() -> None:
    totals = [sensor("untold", "total", 0), sensor("psu", "total", 1000), sensor("in", "total", 10)]
    found = whole_device(totals)
    assert [each.name for each in found.sensors] == ["in"]
    assert found.scope.endswith("(the one of 3 totals that updates most often; not untold, psu)")
    broken = [totals[0], totals[1], sensor("in", "total", 10, "EIO")]
    assert [each.name for each in whole_device(broken).sensors] == ["psu"]
    with pytest.raises(NoEnergy, match="in: EIO"):
        whole_device([sensor("in", "total", 10, "EIO")])


def test_addends_are_added_up_and_nothing_else() -> None:
    seen = [sensor("a", "addend"), sensor("b", "addend"), sensor("c", "part"), sensor("d", None)]
    found = whole_device(seen)
    assert [each.name for each in found.sensors] == ["a", "b"]
    assert found.scope == "the sum of 2 sensors: a (rail a), b (rail b)"


def test_a_failed_addend_leaves_no_sum() -> None:
    with pytest.raises(NoEnergy, match="of the 2 sensors to be added up one is missing: b: EIO"):
        whole_device([sensor("a", "addend"), sensor("b", "addend", 10, "EIO")])


def test_what_does_not_stand_for_the_device_is_named_with_the_reason() -> None:
    seen = [sensor("cpu", "part"), sensor("x", None), sensor("usb", "other")]
    with pytest.raises(NoEnergy) as reason:
        whole_device(seen)
    assert str(reason.value) == (
        "no sensor stands for the whole device: cpu (rail cpu): a part of the device; "
        "x (rail x): what it covers is not known; usb (rail usb): something else than the device"
    )


def test_errors_of_different_times_add_in_quadrature_and_those_of_the_same_in_full() -> None:
    parts = [Uncertain(1.0, 3.0, 10.0, 3.0), Uncertain(2.0, 4.0, 10.0, 4.0)]
    apart, together = independent_sum(parts), simultaneous_sum(parts)
    assert (apart.value, apart.error, apart.shared) == (3.0, 5.0, 5.0)
    assert (together.value, together.error, together.shared) == (3.0, 7.0, 5.0)
    assert 10 < apart.degrees < 20
    assert independent_sum([Uncertain(1.0), Uncertain(2.0)]).degrees == MANY_DEGREES
    assert Uncertain(1.0, 1.0).half_width == pytest.approx(2.0, abs=0.001)
    assert Uncertain(1.0, 1.0, 10.0).half_width == pytest.approx(2.28, abs=0.01)
    assert Uncertain(2.0, 1.0, 10.0, 1.0).times(-0.5) == Uncertain(-1.0, 0.5, 10.0, 0.5)


@pytest.fixture
def two_rails(make_repeat: MakeRepeat, make_arm: MakeArm) -> Callable[..., RawArm]:
    """2 and 3 W while measuring, 1 W each when idle; together a device that takes 5 W."""

    def make(*roles: str, failed: bool = False) -> RawArm:
        repeats = []
        for index in range(2):
            first = make_repeat(index, busy_mw=2000.0, idle_mw=1000.0)
            second = make_repeat(index + 5, busy_mw=3000.0, idle_mw=1000.0)
            told = {"a": first.sensors["vdd_in"], "b": second.sensors["vdd_in"]}
            repeats.append(replace(first, sensors=told))
        infos = [sensor(name, role) for name, role in zip("ab", roles, strict=True)]
        if failed:
            infos[1] = replace(infos[1], unavailable_reason="repeat 1: EIO")
        return make_arm(*repeats, sensors=infos)

    return make


def test_the_sum_of_rails_is_the_device_s_energy(two_rails: Callable[..., RawArm]) -> None:
    found = energy_figures(two_rails("addend", "addend"), SETTINGS)
    assert found["power_mean_w"].value == pytest.approx(5.0, rel=0.001)
    assert found["power_idle_w"].value == pytest.approx(2.0, rel=0.001)
    assert found["energy_net_mj"].value == pytest.approx(30.0, rel=0.001)
    missing = energy_figures(two_rails("addend", "addend", failed=True), SETTINGS)
    assert "one is missing: b: repeat 1: EIO" in str(missing["energy_mj"].reason)


def test_rails_load_that_is_read_at_the_same_moments_is_not_taken_for_independent(
    make_repeat: MakeRepeat, make_arm: MakeArm
) -> None:
    """Three equal rails in step are as uncertain as the one that has all of their power."""
    generator = np.random.default_rng(1)
    read = make_repeat().sensors["vdd_in"]
    levels = np.where(generator.random(1500) < 0.5, 1000.0, 1900.0)
    wave = SensorSeries(read.offset_ns, levels + generator.random(1500))  # without a step
    whole = SensorSeries(read.offset_ns, 3 * wave.values)
    infos = [sensor(name, "addend") for name in "abc"]
    parts = make_arm(make_repeat(sensors=dict.fromkeys("abc", wave)), sensors=infos)
    one = make_arm(make_repeat(sensors={"in": whole}), sensors=[sensor("in", "total")])
    found = [energy_figures(raw, SETTINGS)["energy_mj"].ci95 for raw in (parts, one)]
    assert found[0] == pytest.approx(found[1], rel=1e-6)


def test_every_rail_is_shown_and_none_added(two_rails: Callable[..., RawArm]) -> None:
    first, second = rails(two_rails("total", "part"))
    assert (first.name, first.scope, first.role) == ("a", "rail a", "total")
    assert first.power_w == pytest.approx(2.0, rel=0.001)
    assert first.energy_mj == pytest.approx(20.0, rel=0.001)
    assert first.idle_w == pytest.approx(1.0, rel=0.001)
    assert second.role == "part"
    assert second.power_w == pytest.approx(3.0, rel=0.001)
    assert first.unavailable_reason == ""
    _, failed = rails(two_rails("total", "part", failed=True))
    assert (failed.power_w, failed.unavailable_reason) == (None, "b: repeat 1: EIO")


def test_a_rail_without_idle_has_its_power_and_the_reason(
    make_repeat: MakeRepeat, make_arm: MakeArm
) -> None:
    raw = make_arm(make_repeat(phases=("measure",)))
    (rail,) = rails(raw)
    assert rail.power_w == pytest.approx(5.0, rel=0.001)
    assert rail.idle_w is None
    assert "no idle power" in rail.unavailable_reason
    (nothing,) = rails(replace(raw, repeats=()))
    assert nothing.unavailable_reason == "no repeat was measured"
