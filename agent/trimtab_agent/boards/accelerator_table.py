"""By what an accelerator is recognised: device nodes, kernel drivers, USB and PCI numbers; data.

Driver names are the kernel's (drivers/gpu/drm, drivers/accel) or, where noted, the vendors' own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Node:
    """``pattern``: below /dev. ``model_file``: tells the model, below the root; "": none does."""

    pattern: str
    kind: str
    name: str
    model_file: str = ""


CORAL = "Coral Edge TPU"
HAILO = "Hailo"

NODES = (
    Node("apex_*", "tpu", CORAL),  # gasket and apex, Google's driver
    Node("hailo[0-9]*", "npu", HAILO),  # hailort-drivers
    Node("nvmap", "gpu", "NVIDIA Tegra GPU"),  # nvgpu, of Jetson Linux
    Node("nvhost-nvdla[0-9]*", "npu", "NVIDIA DLA"),
    Node("kgsl-3d0", "gpu", "Qualcomm Adreno", "sys/class/kgsl/kgsl-3d0/gpu_model"),
    Node("mali[0-9]*", "gpu", "Arm Mali"),  # Arm's own kbase
    Node("galcore", "npu", "VeriSilicon Vivante GPU or NPU"),  # one driver for both
    Node("rknpu", "npu", "Rockchip NPU"),  # the vendor's kernel
)

DRM_DRIVERS: Mapping[str, tuple[str, str]] = {
    "v3d": ("gpu", "Broadcom VideoCore"),
    "panfrost": ("gpu", "Arm Mali"),
    "panthor": ("gpu", "Arm Mali"),
    "lima": ("gpu", "Arm Mali"),
    "mali": ("gpu", "Arm Mali"),
    "msm_dpu": ("gpu", "Qualcomm Adreno"),
    "msm": ("gpu", "Qualcomm Adreno"),
    "adreno": ("gpu", "Qualcomm Adreno"),
    "etnaviv": ("gpu", "VeriSilicon Vivante GPU"),
    "i915": ("gpu", "Intel GPU"),
    "xe": ("gpu", "Intel GPU"),
    "amdgpu": ("gpu", "AMD GPU"),
    "radeon": ("gpu", "AMD GPU"),
    "nouveau": ("gpu", "NVIDIA GPU"),
    "nvidia": ("gpu", "NVIDIA GPU"),
    "powervr": ("gpu", "Imagination PowerVR"),
    "RKNPU": ("npu", "Rockchip NPU"),  # the vendor's kernel
    "rocket": ("npu", "Rockchip NPU"),
    "intel_vpu": ("npu", "Intel NPU"),
    "amdxdna": ("npu", "AMD NPU"),
    "qaic": ("npu", "Qualcomm Cloud AI"),
    "habanalabs": ("npu", "Intel Gaudi"),
}

USB_DEVICES: Mapping[tuple[str | None, str | None], tuple[str, str]] = {
    ("1a6e", "089a"): ("tpu", CORAL),  # before a runtime has loaded its firmware
    ("18d1", "9302"): ("tpu", CORAL),
    ("03e7", "2485"): ("npu", "Intel Movidius Myriad X"),
}

PCI_DEVICES: Mapping[tuple[str, str], tuple[str, str]] = {
    ("1ac1", "089a"): ("tpu", CORAL),
    ("1e60", "2864"): ("npu", HAILO),
}
