"""Every host says what soon expires; the authority's own renews it and says nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from trimtab.fleet.identity.authority import Authority, open_authority
from trimtab.fleet.identity.folder import FleetFolder

_SOON = 0.01  # of a day, after the hour by which it is backdated


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return open_authority(FleetFolder(tmp_path / "home" / "fleet"))


def _write(path: Path, content: bytes) -> str:
    path.touch(0o600)
    path.write_bytes(content)
    return str(path)


def test_a_host_is_told_what_soon_expires_until_it_is_renewed(
    trimtab: Any,
    start_agent: Any,
    authority: Authority,
    tmp_path: Path,
    environment: dict[str, str],
) -> None:
    device = _write(tmp_path / "pi5.identity", authority.issue("device", "pi5", _SOON).pem())
    ann = _write(tmp_path / "ann.identity", authority.issue("viewer", "ann", _SOON).pem())
    agent = start_agent("--identity", device, listen="127.0.0.1:0")

    environment["TRIMTAB_HOME"] = str(tmp_path / "anns-home")
    trimtab("fleet", "join", ann)
    trimtab("devices", "add", "pi5", f"tls://{agent.address}")
    looked = trimtab("devices", "info", "pi5", "--format", "json")
    json.loads(looked.stdout)
    own, makes, joins, its, renews, rotate = looked.stderr.splitlines()
    assert own.startswith("this host's identity, ann (viewer), ends on ")
    assert makes.endswith("trimtab fleet viewer ann")
    assert joins.endswith("trimtab fleet join ann.identity")
    assert its.startswith("pi5: its certificate ends on ")
    assert "the host that has the fleet's authority renews it" in renews
    assert rotate == "  trimtab fleet rotate pi5"
    assert "ends on" in trimtab("fleet", "show").stderr

    environment["TRIMTAB_HOME"] = str(tmp_path / "home")
    trimtab("devices", "add", "pi5", f"tls://{agent.address}")
    looked = trimtab("devices", "info", "pi5", "--format", "json")
    assert (looked.returncode, looked.stderr) == (0, "")

    environment["TRIMTAB_HOME"] = str(tmp_path / "anns-home")
    again = trimtab("devices", "list")
    assert "this host's identity, ann (viewer), ends on" in again.stderr
    assert "pi5: its certificate" not in again.stderr
