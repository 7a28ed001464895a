"""A policy named on the command line of ``bench`` is the one that measures."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from trimtab.campaign.fleet import Campaign
from trimtab.cli import bench as command
from trimtab.measure_policies import POLICIES, policy_fields


class Measured(Exception):
    pass


@pytest.fixture
def settings_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``settings_of(*arguments)``: what the devices would be asked to measure by."""
    monkeypatch.setenv("TRIMTAB_HOME", str(tmp_path / "home"))
    model = tmp_path / "model.tflite"
    model.write_bytes(b"not looked into")
    asked: list[dict[str, Any]] = []

    def measure(campaign: Campaign, dispatch: Any) -> Any:
        asked.append(asdict(campaign.choices.base))
        raise Measured

    monkeypatch.setattr(command, "_measure", measure)

    def run(*arguments: str) -> dict[str, Any]:
        done = CliRunner().invoke(command.bench, [str(model), *arguments])
        assert isinstance(done.exception, Measured), done.output
        return asked[-1]

    return run


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("how", [("--policy", "{}"), ("--set", "policy={}")])
def test_all_that_it_sets_is_in_force(settings_of: Any, policy: str, how: tuple[str, str]) -> None:
    found = settings_of(*(each.format(policy) for each in how))
    wanted = policy_fields(policy)
    assert {name: found[name] for name in wanted if name in found} == {
        name: value for name, value in wanted.items() if name in found
    }
    assert found["repeats"] == wanted["repeats"]
    assert found["policy"] == policy


def test_what_is_given_beside_it_is_over_it(settings_of: Any) -> None:
    found = settings_of("--policy", "strict", "--set", "max_warmup_s=30")
    assert found["max_warmup_s"] == 30
    assert found["min_duration_s"] == policy_fields("strict")["min_duration_s"]
