"""A file is what it was, or what it became: nothing between, and nothing beside it."""

import os
import stat
from pathlib import Path

import pytest
from trimtab.whole_files import whole_file, write_whole


def permissions(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_raises_midway_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    write_whole(path, b"old")

    def write_half() -> None:
        with whole_file(path) as file:
            file.write(b"half of what is n")
            file.flush()
            assert path.read_bytes() == b"old"
            raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        write_half()

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "kept.json"
    write_whole(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"new")

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_permissions_are_those_of_the_file_that_was_there(tmp_path: Path) -> None:
    path = tmp_path / "shared.toml"
    write_whole(path, b"one")
    path.chmod(0o664)

    write_whole(path, b"two")

    assert path.read_bytes() == b"two"
    assert permissions(path) == 0o664


def test_what_is_private_is_so_from_the_first_byte(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(b"left readable by somebody")
    path.chmod(0o644)

    with whole_file(path, mode=0o600) as file:
        file.write(b"secret")
        (unfinished,) = (each for each in tmp_path.iterdir() if each != path)
        assert permissions(unfinished) == 0o600

    assert permissions(path) == 0o600


def test_a_new_file_is_as_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "new.json", b"{}")
    finally:
        os.umask(before)

    assert permissions(tmp_path / "new.json") == 0o640
