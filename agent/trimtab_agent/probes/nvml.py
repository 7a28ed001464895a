"""Graphics cards of NVIDIA's, by its management library (optional: ``pip install nvidia-ml-py``).

Power in milliwatt, energy since the driver was loaded in millijoule (NVML API Reference,
nvmlDeviceGetPowerUsage and nvmlDeviceGetTotalEnergyConsumption). A card is a part of the machine
and not the whole: it is added up beside the processor's figure where the machine has no total, and
where its chip is part of a module with an input rail (Jetson) it lies in that.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from trimtab_agent.probes.base import Probe, Sensor, SensorError
from trimtab_agent.probes.board_rails import compatibles
from trimtab_agent.records import SensorInfo, SensorKind, SensorRole

# "On Ampere (except GA100) or newer GPUs, the API returns power averaged over 1 sec interval":
# GA100 is compute capability 8.0.
_AVERAGED_FROM = (8, 1)


class NvmlProbe(Probe):
    name = "nvml"
    looks_for = "nvidia-ml-py"

    def __init__(self, load: Callable[[], Any] | None = None) -> None:
        self._load = load

    def discover(self, root: Path) -> list[Sensor]:
        try:
            return list(self._found(root))
        except Exception:  # remark says why: what a library of another maker's raises is its own
            return []

    def remark(self, root: Path) -> str:
        """Only where there is such a card to speak of."""
        if not (root / "proc/driver/nvidia").exists():
            return ""
        try:
            list(self._found(root))
        except ImportError:
            return "the NVIDIA card needs nvidia-ml-py: pip install 'trimtab-agent[nvml]'"
        except Exception as error:
            return f"the NVIDIA card does not answer: {type(error).__name__}: {error}"
        return ""

    def _found(self, root: Path) -> Iterator[Sensor]:
        if self._load is None and root != Path("/"):
            return  # the library speaks of this machine alone
        nvml = self._load() if self._load is not None else importlib.import_module("pynvml")
        nvml.nvmlInit()
        for index in range(nvml.nvmlDeviceGetCount()):
            yield from _sensors(nvml, index, is_jetson=_is_jetson(root))


@dataclass(frozen=True)
class NvmlSensor(Sensor):
    info: SensorInfo
    ask: Callable[[], float]

    def read(self) -> float:
        try:
            return float(self.ask())
        except Exception as error:
            raise SensorError(f"sensor {self.info.name} does not answer: {error}") from error


def _sensors(nvml: Any, index: int, is_jetson: bool) -> Iterator[Sensor]:
    """The counter has the role where there is one: what is told twice must not be added twice."""
    card = nvml.nvmlDeviceGetHandleByIndex(index)
    name = nvml.nvmlDeviceGetName(card)
    scope = f"{name.decode() if isinstance(name, bytes) else name}: the graphics card alone"
    role: SensorRole = "part" if is_jetson else "addend"
    energy = NvmlSensor(
        SensorInfo(f"nvml/gpu{index}/energy", "mJ", scope, "counter", 0, role=role),
        partial(nvml.nvmlDeviceGetTotalEnergyConsumption, card),
    )
    if _answers(energy):
        yield energy
        role = "other"
    power = NvmlSensor(
        SensorInfo(f"nvml/gpu{index}/power", "mW", scope, _kind(nvml, card), 0, role=role),
        partial(nvml.nvmlDeviceGetPowerUsage, card),
    )
    if _answers(power):
        yield power


def _kind(nvml: Any, card: Any) -> SensorKind | None:
    try:
        capability = tuple(nvml.nvmlDeviceGetCudaComputeCapability(card))
    except Exception:
        return None
    return "averaged" if capability >= _AVERAGED_FROM else "instantaneous"


def _answers(sensor: Sensor) -> bool:
    """Older cards have no counter, and some none of either."""
    try:
        sensor.read()
    except SensorError:
        return False
    return True


def _is_jetson(root: Path) -> bool:
    return any(name.startswith("nvidia,tegra") for name in compatibles(root))
