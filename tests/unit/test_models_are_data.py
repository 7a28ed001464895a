"""Files that a host is given, or gets back from a device, run nothing when they are read."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import hostile_models
import pytest
import torch
from trimtab.compress.checkpoints import Checkpoint, CheckpointDamaged
from trimtab.compress.passes import ModelFile
from trimtab.evaluation_file import read_inputs
from trimtab.measure.accuracy import CannotScore, load_outputs
from trimtab.records import UserError
from trimtab.store.recording import read_recording
from trimtab.task import FileTask

Make = Callable[[Path], bytes]


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "marker"


@pytest.mark.parametrize("make", [hostile_models.pickled, hostile_models.pickled_array])
def test_arrays_of_pickled_objects_are_not_loaded(tmp_path: Path, marker: Path, make: Make) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(make(marker))
    with pytest.raises(UserError, match=r"not an \.npz of plain arrays"):
        read_inputs(path)
    with pytest.raises(CannotScore, match="from the device cannot be read"):
        load_outputs(path)
    with pytest.raises(UserError, match="not a sound recording"):
        read_recording(path)
    assert not marker.exists()


def test_a_checkpoint_with_anything_but_tensors_is_damaged(tmp_path: Path, marker: Path) -> None:
    path = tmp_path / "training-0.pt"
    torch.save({"model": hostile_models.Payload(marker)}, path)
    content = path.read_bytes()
    path.write_bytes(content + hashlib.sha256(content).digest())
    with pytest.raises(CheckpointDamaged):
        Checkpoint(path).load()
    assert not marker.exists()


@pytest.mark.parametrize("location", ["../secret.bin", "/etc/passwd"])
def test_a_model_file_takes_no_file_from_elsewhere_along(tmp_path: Path, location: str) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(16))
    model = tmp_path / "model" / "m.onnx"
    model.parent.mkdir()
    model.write_bytes(hostile_models.onnx_reading(location))
    for ask in (
        lambda: FileTask(model).weight_files,
        lambda: FileTask(model).inputs,
        lambda: ModelFile(model, "onnx").files,
    ):
        with pytest.raises(UserError, match="which is not a bare file name"):
            ask()
