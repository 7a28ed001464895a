"""The recordings' own format."""

from pathlib import Path

import pytest
from board_trees import board_names, plant_board, read_entries


def test_a_device_tree_file_ends_in_nul(tmp_path: Path) -> None:
    root = plant_board(tmp_path, "raspberry-pi-5")
    folder = root / "proc/device-tree"
    assert (folder / "compatible").read_bytes() == b"raspberrypi,5-model-b\0brcm,bcm2712\0"
    assert (folder / "model").read_bytes() == b"Raspberry Pi 5 Model B Rev 1.0\0"


def test_links_and_blocks_are_laid_out(tmp_path: Path) -> None:
    root = plant_board(tmp_path, "jetson-orin-nano")
    cpu = root / "sys/devices/system/cpu/cpu5/cpufreq"
    assert cpu.is_symlink()
    assert (cpu / "related_cpus").read_text() == "4 5\n"
    assert (root / "commands/nvpmodel -q").read_text() == "NV Power Mode: 25W\n1\n"


def test_every_recording_can_be_laid_out(tmp_path: Path) -> None:
    for name in board_names():
        assert plant_board(tmp_path / name, name).is_dir()


@pytest.mark.parametrize("text", ["a path alone", "path <<END\nnever ended"])
def test_a_line_of_no_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"path|END"):
        list(read_entries(text))
