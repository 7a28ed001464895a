"""NVIDIA's cards, by a stand-in for their library."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from trimtab_agent.probes.base import SensorError
from trimtab_agent.probes.nvml import NvmlProbe

Board = Callable[[str], Path]


class NotSupported(Exception):
    pass


class Library:
    """One card; a quantity that is None is one that the card does not have."""

    def __init__(
        self, energy: int | None = 7000, power: int | None = 71000, capability: Any = (9, 0)
    ) -> None:
        self.energy, self.power, self.capability = energy, power, capability

    def nvmlInit(self) -> None: ...  # noqa: N802

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return 1

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetName(self, card: int) -> bytes:  # noqa: N802
        return b"NVIDIA H200"

    def nvmlDeviceGetTotalEnergyConsumption(self, card: int) -> Any:  # noqa: N802
        return self._told(self.energy)

    def nvmlDeviceGetPowerUsage(self, card: int) -> Any:  # noqa: N802
        return self._told(self.power)

    def nvmlDeviceGetCudaComputeCapability(self, card: int) -> Any:  # noqa: N802
        return self._told(self.capability)

    def _told(self, value: Any) -> Any:
        if value is None:
            raise NotSupported("Not Supported")
        return value


def test_a_card_is_an_addend_by_its_counter(tmp_path: Path) -> None:
    energy, power = NvmlProbe(Library).discover(tmp_path)
    assert (energy.read(), energy.info.unit, energy.info.kind) == (7000.0, "mJ", "counter")
    assert (power.read(), power.info.unit, power.info.kind) == (71000.0, "mW", "averaged")
    assert (energy.info.role, power.info.role) == ("addend", "other")
    assert energy.info.scope == "NVIDIA H200: the graphics card alone"


@pytest.mark.parametrize(
    ("capability", "kind"),
    [((8, 0), "instantaneous"), ((8, 6), "averaged"), ((7, 5), "instantaneous"), (None, None)],
)
def test_without_a_counter_its_power_counts(
    tmp_path: Path, capability: Any, kind: str | None
) -> None:
    (power,) = NvmlProbe(lambda: Library(None, capability=capability)).discover(tmp_path)
    assert (power.info.role, power.info.kind) == ("addend", kind)


def test_on_a_jetson_it_lies_in_the_input_rail(board: Board) -> None:
    (energy, _) = NvmlProbe(Library).discover(board("jetson-orin-nano"))
    assert energy.info.role == "part"


def test_a_card_that_falls_off_the_bus_is_an_error(tmp_path: Path) -> None:
    library = Library()
    energy, _ = NvmlProbe(lambda: library).discover(tmp_path)
    library.energy = None
    with pytest.raises(SensorError, match="nvml/gpu0/energy does not answer: Not Supported"):
        energy.read()


def missing() -> Any:
    raise ModuleNotFoundError("No module named 'pynvml'")


def broken() -> Any:
    raise NotSupported("Driver Not Loaded")


def test_without_library_or_driver_nothing_is_found(tmp_path: Path) -> None:
    assert NvmlProbe(missing).discover(tmp_path) == []
    assert NvmlProbe(broken).discover(tmp_path) == []
    assert NvmlProbe(missing).remark(tmp_path) == "", "no card to speak of"


def test_a_card_without_its_library_is_remarked_on(tmp_path: Path) -> None:
    (tmp_path / "proc/driver/nvidia").mkdir(parents=True)
    assert "pip install 'trimtab-agent[nvml]'" in NvmlProbe(missing).remark(tmp_path)
    assert "Driver Not Loaded" in NvmlProbe(broken).remark(tmp_path)
    assert NvmlProbe(Library).remark(tmp_path) == ""


def test_of_a_recorded_device_this_machines_library_tells_nothing(tmp_path: Path) -> None:
    assert NvmlProbe().discover(tmp_path) == []
