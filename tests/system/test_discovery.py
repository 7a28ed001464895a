"""``trimtab devices discover``: agents that announce themselves with their identity are found."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from trimtab_agent.announce import addresses_of
from trimtab_agent.config import ConfigError

pytest.importorskip("zeroconf", reason="zeroconf is missing")

Trimtab = Callable[..., subprocess.CompletedProcess[str]]
Announce = Callable[..., Any]


@pytest.fixture
def announce(trimtab: Trimtab, start_agent: Callable[..., Any], tmp_path: Path) -> Announce:
    """``announce(name)``: a device of this host's fleet, which tells of itself."""
    try:
        address = addresses_of("0.0.0.0")[0]  # noqa: S104 - nothing is bound
    except ConfigError as error:
        pytest.skip(str(error))

    def start(name: str) -> Any:
        made = trimtab("fleet", "identity", name)
        assert made.returncode == 0, made.stderr
        bundle = tmp_path / f"{name}.identity"
        try:
            return start_agent("--announce", "--identity", str(bundle), listen=f"{address}:0")
        except AssertionError as error:
            if "mDNS cannot be used here" in str(error):
                pytest.skip(f"multicast is impossible here: {error}")
            raise

    return start


def _listed(trimtab: Trimtab) -> dict[str, dict[str, Any]]:
    listed = trimtab("devices", "list", "--format", "json")
    assert listed.returncode == 0, listed.stderr
    return {row["name"]: row for row in json.loads(listed.stdout)["devices"]}


def _discovered(trimtab: Trimtab, *arguments: str) -> dict[str, tuple[str, ...]]:
    """By name: address, version, the id's beginning, whether it is in the inventory."""
    found = trimtab("devices", "discover", "--seconds", "2", *arguments)
    assert found.returncode == 0, found.stderr
    rows = [line.strip("│ ").split("│") for line in found.stdout.splitlines() if "│" in line]
    return {name.strip(): tuple(cell.strip() for cell in cells) for name, *cells in rows}


def test_a_device_that_announces_itself_is_added_and_reached(
    announce: Announce, trimtab: Trimtab
) -> None:
    agent = announce("pi5")

    address, _, short_id, place = _discovered(trimtab)["pi5"]
    assert address == f"tls://{agent.address}"
    assert place == f"no: trimtab devices add pi5 {address}"
    assert set(_listed(trimtab)) == {"local"}

    assert _discovered(trimtab, "--add")["pi5"][-1] == "added"
    pi5 = _listed(trimtab)["pi5"]
    assert pi5["address"].removeprefix("tls://") == agent.address
    assert pi5["status"] == "answers"

    assert _discovered(trimtab, "--add")["pi5"][-1] == "yes"
    told = json.loads(trimtab("devices", "info", "pi5", "--format", "json").stdout)
    assert told["device_id"].startswith(short_id)
    assert len(short_id) == 8


def test_what_another_fleets_device_says_of_itself_does_not_make_it_trusted(
    announce: Announce, trimtab: Trimtab, environment: dict[str, str], tmp_path: Path
) -> None:
    environment["TRIMTAB_HOME"] = str(tmp_path / "other-home")
    announce("stranger")
    environment["TRIMTAB_HOME"] = str(tmp_path / "home")
    assert trimtab("fleet", "identity", "own").returncode == 0

    assert _discovered(trimtab, "--add")["stranger"][-1] == "added"
    assert "another fleet" in _listed(trimtab)["stranger"]["status"]
