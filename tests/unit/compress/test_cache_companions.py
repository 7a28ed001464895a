"""Files of a model that come in pairs are kept, checked and given back in pairs."""

from pathlib import Path

import pytest
from trimtab.artifact_files import artifact_from_file, companions
from trimtab.compress.cache import Cache
from trimtab.records import UserError


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "m.xml").write_text("<net/>")
    (tmp_path / "m.bin").write_bytes(b"weights")
    return tmp_path / "m.xml"


def test_weights_come_back_with_their_model(model: Path, tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    cache.keep("key", model, ("exported",))
    target = tmp_path / "again.xml"
    assert cache.fetch("key", target) == ("exported",)
    assert target.read_text() == "<net/>"
    assert (tmp_path / "again.bin").read_bytes() == b"weights"


def test_damaged_weights_are_made_anew(model: Path, tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    cache.keep("key", model, ())
    (tmp_path / "cache/key.bin").write_bytes(b"weight5")
    assert cache.fetch("key", tmp_path / "again.xml") is None


def test_weights_travel_with_the_model(model: Path) -> None:
    artifact = artifact_from_file(model)
    assert artifact.format == "openvino"
    assert [file.name for file in artifact.files] == ["m.xml", "m.bin"]


def test_missing_weights_are_named(model: Path) -> None:
    for beside in companions(model):
        beside.unlink()
    with pytest.raises(UserError, match=r"its weights m\.bin are missing"):
        artifact_from_file(model)
