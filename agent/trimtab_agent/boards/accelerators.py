"""Accelerators that kernel and bus show, each with where it was seen.

That one is listed says that it is there, and nothing of whether a runtime can use it: what runs
on what is told by the runtimes themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trimtab_agent.boards.accelerator_table import (
    DRM_DRIVERS,
    NODES,
    PCI_DEVICES,
    USB_DEVICES,
    Node,
)
from trimtab_agent.probes.sysfs import folders, read_text

_TEGRA_NODES = ("nvmap",)


@dataclass(frozen=True)
class Accelerator:
    """``kind``: "gpu", "npu" or "tpu"; ``seen``: the file, or the bus and its numbers."""

    kind: str
    name: str
    seen: str

    def __str__(self) -> str:
        return f"{self.name} ({self.seen})"


def find_accelerators(root: Path) -> tuple[Accelerator, ...]:
    """Each by the first way in which it is seen: its own node, its driver, a bus."""
    found: list[Accelerator] = []
    for way in (_by_node, _by_nvidia_driver, _by_drm, _by_bus):
        seen = {_family(each) for each in found}
        found += [each for each in way(root) if _family(each) not in seen]
    return tuple(found)


def _family(accelerator: Accelerator) -> str:
    """What two ways of looking call by one name: the one driver tells a model, the other none."""
    if accelerator.kind == "gpu" and accelerator.name.startswith("NVIDIA"):
        return "NVIDIA"
    return accelerator.name.partition(" (")[0]


def _by_node(root: Path) -> Iterator[Accelerator]:
    for node in NODES:
        for path in folders(root / "dev", node.pattern)[:1]:
            yield Accelerator(node.kind, _node_name(root, node), f"/dev/{path.name}")


def _node_name(root: Path, node: Node) -> str:
    """With the model where a file of the driver tells it ("Adreno740v2")."""
    model = read_text(root / node.model_file) if node.model_file else None
    return f"{node.name} ({model})" if model else node.name


def _by_nvidia_driver(root: Path) -> Iterator[Accelerator]:
    """The driver's own list; on a Jetson the processor's GPU has another driver."""
    if any((root / "dev" / name).exists() for name in _TEGRA_NODES):
        return
    for gpu in folders(root / "proc/driver/nvidia/gpus", "*"):
        for line in (read_text(gpu / "information") or "").splitlines():
            name, _, model = line.partition(":")
            if name.strip() == "Model" and model.strip():
                yield Accelerator("gpu", model.strip(), f"NVIDIA driver, PCI {gpu.name}")


def _by_drm(root: Path) -> Iterator[Accelerator]:
    """Render nodes and compute accelerators (/dev/accel), by the driver that made them."""
    nodes = [
        (path, f"/dev/dri/{path.name}") for path in folders(root / "sys/class/drm", "renderD*")
    ] + [(path, f"/dev/accel/{path.name}") for path in folders(root / "sys/class/accel", "accel*")]
    for path, seen in nodes:
        driver = _uevent(path / "device/uevent").get("DRIVER", "")
        kind_and_name = DRM_DRIVERS.get(driver)
        if kind_and_name is not None:
            yield Accelerator(*kind_and_name, _by_driver(seen, driver))
        elif path.name.startswith("accel"):
            yield Accelerator("npu", f"compute accelerator {path.name}", _by_driver(seen, driver))


def _by_driver(node: str, driver: str) -> str:
    return f"{node}, driver {driver}" if driver else node


def _by_bus(root: Path) -> Iterator[Accelerator]:
    """Of which the driver may be missing: it is told as what is plugged in."""
    for device in folders(root / "sys/bus/usb/devices", "*"):
        ids = (read_text(device / "idVendor"), read_text(device / "idProduct"))
        if found := USB_DEVICES.get(ids):
            yield Accelerator(*found, f"USB {ids[0]}:{ids[1]}")
    for device in folders(root / "sys/bus/pci/devices", "*"):
        vendor = (read_text(device / "vendor") or "").removeprefix("0x")
        product = (read_text(device / "device") or "").removeprefix("0x")
        if found := PCI_DEVICES.get((vendor, product)):
            yield Accelerator(*found, f"PCI {vendor}:{product}, without a device node")


def _uevent(path: Path) -> dict[str, str]:
    pairs = (line.partition("=") for line in (read_text(path) or "").splitlines())
    return {name: value for name, _, value in pairs}
