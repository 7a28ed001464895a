"""What is there, where it was seen, each once; and nothing made of rubbish."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from trimtab_agent.boards.accelerators import Accelerator, find_accelerators

Plant = Callable[[dict[str, str]], Path]
_USB = "sys/bus/usb/devices/1-1"
_PCI = "sys/bus/pci/devices/0000:01:00.0"
_NVIDIA = "proc/driver/nvidia/gpus/0000:01:00.0/information"
_RENDER = "sys/class/drm/renderD128/device/uevent"


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({}, ()),
        ({"dev/apex_0": ""}, (Accelerator("tpu", "Coral Edge TPU", "/dev/apex_0"),)),
        (
            {f"{_USB}/idVendor": "1a6e\n", f"{_USB}/idProduct": "089a\n"},
            (Accelerator("tpu", "Coral Edge TPU", "USB 1a6e:089a"),),
        ),
        (
            {f"{_USB}/idVendor": "18d1\n", f"{_USB}/idProduct": "9302\n"},
            (Accelerator("tpu", "Coral Edge TPU", "USB 18d1:9302"),),
        ),
        (
            {f"{_PCI}/vendor": "0x1e60\n", f"{_PCI}/device": "0x2864\n"},
            (Accelerator("npu", "Hailo", "PCI 1e60:2864, without a device node"),),
        ),
        (
            {
                f"{_PCI}/vendor": "0x1e60\n",
                f"{_PCI}/device": "0x2864\n",
                "dev/hailo0": "",
            },
            (Accelerator("npu", "Hailo", "/dev/hailo0"),),
        ),
        (
            {_RENDER: "DRIVER=v3d\nOF_NAME=gpu\n"},
            (Accelerator("gpu", "Broadcom VideoCore", "/dev/dri/renderD128, driver v3d"),),
        ),
        (
            {"dev/mali0": "", _RENDER: "DRIVER=panthor\n"},
            (Accelerator("gpu", "Arm Mali", "/dev/mali0"),),
        ),
        (
            {"dev/kgsl-3d0": "", "sys/class/kgsl/kgsl-3d0/gpu_model": "Adreno740v2\n"},
            (Accelerator("gpu", "Qualcomm Adreno (Adreno740v2)", "/dev/kgsl-3d0"),),
        ),
        (
            {"dev/galcore": ""},
            (Accelerator("npu", "VeriSilicon Vivante GPU or NPU", "/dev/galcore"),),
        ),
        (
            {"dev/nvmap": "", "dev/nvidia0": "", "dev/nvhost-nvdla0": "", "dev/nvhost-nvdla1": ""},
            (
                Accelerator("gpu", "NVIDIA Tegra GPU", "/dev/nvmap"),
                Accelerator("npu", "NVIDIA DLA", "/dev/nvhost-nvdla0"),
            ),
        ),
        (
            {
                _NVIDIA: "Model: \t\t NVIDIA RTX A2000\n",
                _RENDER: "DRIVER=nvidia\n",
                "sys/class/drm/renderD129/device/uevent": "DRIVER=i915\n",
            },
            (
                Accelerator("gpu", "NVIDIA RTX A2000", "NVIDIA driver, PCI 0000:01:00.0"),
                Accelerator("gpu", "Intel GPU", "/dev/dri/renderD129, driver i915"),
            ),
        ),
        (
            {"sys/class/accel/accel0/device/uevent": "DRIVER=intel_vpu\nPCI_ID=8086:7D1D\n"},
            (Accelerator("npu", "Intel NPU", "/dev/accel/accel0, driver intel_vpu"),),
        ),
        (
            {
                _RENDER: "DRIVER=RKNPU\n",
                "sys/class/drm/renderD129/device/uevent": "DRIVER=panthor\n",
            },
            (
                Accelerator("npu", "Rockchip NPU", "/dev/dri/renderD128, driver RKNPU"),
                Accelerator("gpu", "Arm Mali", "/dev/dri/renderD129, driver panthor"),
            ),
        ),
        (
            {
                _RENDER: "DRIVER=amdgpu\n",
                "sys/class/drm/renderD129/device/uevent": "DRIVER=amdgpu\n",
            },
            (
                Accelerator("gpu", "AMD GPU", "/dev/dri/renderD128, driver amdgpu"),
                Accelerator("gpu", "AMD GPU", "/dev/dri/renderD129, driver amdgpu"),
            ),
        ),
        (
            {"sys/class/accel/accel0/device/uevent": "DRIVER=newcomer\n"},
            (
                Accelerator(
                    "npu", "compute accelerator accel0", "/dev/accel/accel0, driver newcomer"
                ),
            ),
        ),
    ],
)
def test_each_is_told_with_where_it_was_seen(
    plant: Plant, files: dict[str, str], found: tuple[Accelerator, ...]
) -> None:
    assert find_accelerators(plant(files)) == found


def test_rubbish_is_no_accelerator(plant: Plant) -> None:
    files = {
        _RENDER: "\x00\xff",
        f"{_USB}/idVendor": "",
        f"{_PCI}/vendor": "0x10de\n",
        _NVIDIA: "Model:\n",
        "dev/hailofax": "",
        "sys/class/drm/renderD130/device/uevent": "DRIVER=virtio_gpu\n",
    }
    assert find_accelerators(plant(files)) == ()
