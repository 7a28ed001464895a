"""A fleet's authority in a folder of its own, and identities made by it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from trimtab.fleet.identity.authority import Authority, open_authority
from trimtab.fleet.identity.folder import FleetFolder


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return open_authority(FleetFolder(tmp_path / "fleet"))


@pytest.fixture
def other_authority(tmp_path: Path) -> Authority:
    return open_authority(FleetFolder(tmp_path / "other-fleet"))


@pytest.fixture
def bundle_file(authority: Authority, tmp_path: Path) -> Callable[..., Path]:
    """``bundle_file(role="device", name="pi5", days=365)``: a file as a device gets it."""

    def make(role: Any = "device", name: str = "pi5", days: float = 365) -> Path:
        path = tmp_path / f"{name}.identity"
        path.touch(0o600)
        path.write_bytes(authority.issue(role, name, days).pem())
        return path

    return make
