"""Recorded boards below a root of the test's own."""

from collections.abc import Callable
from pathlib import Path

import pytest
from board_trees import plant_board

Board = Callable[[str], Path]


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return lambda name: plant_board(tmp_path, name)


@pytest.fixture
def forbid(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes every file of that name unreadable, also for root, whom no file mode stops."""

    def refuse(name: str) -> None:
        read_bytes, read_text = Path.read_bytes, Path.read_text

        def bytes_of(path: Path) -> bytes:
            if path.name == name:
                raise PermissionError(13, "Permission denied", str(path))
            return read_bytes(path)

        def text_of(path: Path, encoding: str | None = None, errors: str | None = None) -> str:
            if path.name == name:
                raise PermissionError(13, "Permission denied", str(path))
            return read_text(path, encoding=encoding, errors=errors)

        monkeypatch.setattr(Path, "read_bytes", bytes_of)
        monkeypatch.setattr(Path, "read_text", text_of)

    return refuse
