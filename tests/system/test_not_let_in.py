"""A host that a device does not let in is told so by every command, with what to do about it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

ADVICE = "ask whoever keeps the fleet's authority for a new one"


@pytest.fixture
def viewer(
    trimtab: Any, start_agent: Any, tmp_path: Path, environment: dict[str, str]
) -> dict[str, str]:
    """The environment is of ann's host afterwards; its home and the keeper's."""
    keeper, ann = str(tmp_path / "home"), str(tmp_path / "anns-home")
    assert trimtab("fleet", "identity", "pi5").returncode == 0
    agent = start_agent("--identity", str(tmp_path / "pi5.identity"), listen="127.0.0.1:0")
    trimtab("devices", "add", "pi5", f"tls://{agent.address}")
    trimtab("fleet", "viewer", "ann")
    environment["TRIMTAB_HOME"] = ann
    trimtab("fleet", "join", "ann.identity")
    trimtab("devices", "add", "pi5", f"tls://{agent.address}")
    return {"keeper": keeper, "ann": ann, "address": agent.address}


def test_what_was_not_examined_is_no_success(
    viewer: dict[str, str], trimtab: Any, environment: dict[str, str]
) -> None:
    code, row = _examined(trimtab)
    assert (code, row["answers"], row["examined"]) == (3, True, False)
    assert row["problem"] == "Examine needs the role operator; ann is a viewer"
    assert row["advice"]

    _revoke_ann(viewer, trimtab, environment)

    code, row = _examined(trimtab)
    assert (code, row["answers"], row["examined"]) == (3, False, False)
    assert row["problem"].endswith("refuses this host: its identity is revoked")
    assert row["advice"] == ADVICE


def test_each_look_at_it_tells_the_reason_and_the_advice(
    viewer: dict[str, str], trimtab: Any, environment: dict[str, str]
) -> None:
    _revoke_ann(viewer, trimtab, environment)
    why = f"pi5 ({viewer['address']}) refuses this host: its identity is revoked"

    told = trimtab("devices", "info", "pi5")
    assert (told.returncode, told.stderr.splitlines()) == (3, [f"error: {why}", f"  {ADVICE}"])
    (listed,) = json.loads(trimtab("devices", "list", "pi5", "--format", "json").stdout)["devices"]
    assert (listed["status"], listed["advice"]) == (why, ADVICE)
    looked = trimtab("devices", "top", "pi5", "--once", "--format", "json")
    (seen,) = json.loads(looked.stdout)["devices"]
    assert (looked.returncode, seen["problem"], seen["advice"]) == (3, why, ADVICE)
    trimtab("devices", "remove", "pi5")
    added = trimtab("devices", "add", "pi5", f"tls://{viewer['address']}")
    assert added.stderr.splitlines() == [f"added pi5; but {why}", f"  {ADVICE}"]
    for table in (("list", "pi5"), ("top", "pi5", "--once")):
        words = trimtab("devices", *table).stdout.replace("│", " ").split()
        assert {"(ask", "whoever"} <= set(words), table


def _examined(trimtab: Any) -> tuple[int, dict[str, Any]]:
    examined = trimtab("devices", "doctor", "pi5", "--format", "json")
    (row,) = json.loads(examined.stdout)["devices"]
    return examined.returncode, row


def _revoke_ann(viewer: dict[str, str], trimtab: Any, environment: dict[str, str]) -> None:
    environment["TRIMTAB_HOME"] = viewer["keeper"]
    assert trimtab("fleet", "revoke", "ann").returncode == 0
    environment["TRIMTAB_HOME"] = viewer["ann"]
