"""What every probe must do, whoever wrote it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

import pytest
from trimtab_agent.probes.base import Probe, SensorError
from trimtab_agent.probes.hwmon import HwmonProbe
from trimtab_agent.probes.power_supply import PowerSupplyProbe
from trimtab_agent.probes.thermal import ThermalProbe

UCUM = {"Cel", "mW", "mJ", "%"}


class ProbeContract(ABC):
    """Subclass it, and give the probe and files below a root that hold at least one sensor."""

    @pytest.fixture
    @abstractmethod
    def probe(self) -> Probe: ...

    @property
    @abstractmethod
    def files(self) -> dict[str, str]: ...

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        for name, content in self.files.items():
            path = tmp_path / "sys/class" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return tmp_path

    def test_nothing_there_is_no_error(self, probe: Probe, tmp_path: Path) -> None:
        assert probe.discover(tmp_path / "absent") == []

    def test_every_sensor_is_described_and_reads(self, probe: Probe, root: Path) -> None:
        sensors = probe.discover(root)
        assert sensors
        assert len({sensor.info.name for sensor in sensors}) == len(sensors)
        for sensor in sensors:
            assert sensor.info.name.startswith(f"{probe.name}/")
            assert sensor.info.unit in UCUM
            assert sensor.info.scope
            assert sensor.info.sample_period_ns >= 0
            assert isinstance(sensor.read(), float)

    def test_garbage_in_the_files_is_no_sensor_and_no_crash(self, probe: Probe, root: Path) -> None:
        sensors = probe.discover(root)
        for name, content in self.files.items():
            if content.strip().lstrip("-").isdigit():
                (root / "sys/class" / name).write_text("n/a\n")
        assert probe.discover(root) == []
        for sensor in sensors:
            with pytest.raises(SensorError, match=sensor.info.name):
                sensor.read()


class TestThermal(ProbeContract):
    @pytest.fixture
    def probe(self) -> Probe:
        return ThermalProbe()

    @property
    def files(self) -> dict[str, str]:
        return {"thermal/thermal_zone0/temp": "45000\n", "thermal/thermal_zone0/type": "cpu\n"}


class TestHwmon(ProbeContract):
    @pytest.fixture
    def probe(self) -> Probe:
        return HwmonProbe()

    @property
    def files(self) -> dict[str, str]:
        return {"hwmon/hwmon0/power1_input": "1000000\n", "hwmon/hwmon0/temp1_input": "30000\n"}


class TestPowerSupply(ProbeContract):
    @pytest.fixture
    def probe(self) -> Probe:
        return PowerSupplyProbe()

    @property
    def files(self) -> dict[str, str]:
        return {
            "power_supply/BAT0/type": "Battery\n",
            "power_supply/BAT0/power_now": "2000000\n",
            "power_supply/BAT0/capacity": "50\n",
        }
