"""The commands of ``trimtab fleet``, with a device that serves with TLS."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def test_a_device_gets_its_identity_and_is_reached_by_name(
    trimtab: Any, start_agent: Any, tmp_path: Path, environment: dict[str, str]
) -> None:
    made = trimtab("fleet", "identity", "pi5")
    assert made.returncode == 0, made.stderr
    assert "trimtab-agent serve --identity pi5.identity --listen 0.0.0.0:7433" in made.stderr
    agent = start_agent("--identity", str(tmp_path / "pi5.identity"), listen="127.0.0.1:0")

    clear = trimtab("devices", "add", "clear", agent.address)
    assert f"is reached at tls://{agent.address}" in clear.stderr, clear.stderr
    trimtab("devices", "remove", "clear")
    added = trimtab("devices", "add", "pi5", f"tls://{agent.address}")
    assert "added pi5: " in added.stderr, added.stderr
    rotated = trimtab("fleet", "rotate")
    assert "pi5: has a new identity" in rotated.stderr, rotated.stderr

    trimtab("fleet", "viewer", "ann")
    environment["TRIMTAB_HOME"] = str(tmp_path / "anns-home")
    trimtab("fleet", "join", "ann.identity")
    trimtab("devices", "add", "pi5", f"tls://{agent.address}")
    looked = trimtab("devices", "info", "pi5", "--format", "json")
    assert looked.returncode == 0, looked.stderr
    refused = trimtab("fleet", "revoke", "ann")
    assert refused.returncode == 2
    assert "authority is on another host" in refused.stderr

    environment["TRIMTAB_HOME"] = str(tmp_path / "home")
    revoked = trimtab("fleet", "revoke", "ann")
    assert revoked.returncode == 0, revoked.stderr
    assert "pi5: has the newest revocation list" in revoked.stderr
    assert "revoked" in trimtab("fleet", "list").stdout

    environment["TRIMTAB_HOME"] = str(tmp_path / "anns-home")
    listed = json.loads(trimtab("devices", "list", "--format", "json").stdout)
    (pi5,) = [each for each in listed["devices"] if each["name"] == "pi5"]
    assert "its identity is revoked" in pi5["status"]


def test_a_host_without_an_identity_is_told_how_to_get_one(trimtab: Any) -> None:
    added = trimtab("devices", "add", "pi5", "192.0.2.1")
    assert added.returncode == 0
    assert "pi5 (192.0.2.1:7433) is reached with TLS, and this host has no identity" in added.stderr
    shown = trimtab("fleet", "show")
    assert shown.returncode == 2
    assert shown.stderr.splitlines() == [
        "error: this host belongs to no fleet",
        "  make a fleet with `trimtab fleet identity NAME` for the device, or join one with "
        "`trimtab fleet join FILE`",
    ]
