"""An arm whose file the device cannot hold fails alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from trimtab.fleet.dispatch import Rules, Workload, measure_on
from trimtab.fleet.inventory_device import InventoryDevice
from trimtab.fleet.jobs import ArmRequest
from trimtab.fleet.ledger import RunLedger
from trimtab.records import Artifact, ArtifactFile, MeasurementSettings
from trimtab_protos.digest import digest_file

_SETTINGS = MeasurementSettings(
    runtime="null", repeats=1, min_duration_s=0.05, warmup_s=0.0, min_samples=5
)


def _arm(folder: Path, name: str, size: int) -> ArmRequest:
    path = folder / f"{name}.onnx"
    path.write_bytes(os.urandom(size))
    file = ArtifactFile(path.name, path, digest_file(path))
    return ArmRequest(name, Artifact("onnx", (file,), size), _SETTINGS)


@pytest.mark.parametrize("arms_per_job", [None, 1])
async def test_the_others_are_measured_and_it_fails_with_class_resources(
    start_agent: Any, tmp_path: Path, arms_per_job: int | None
) -> None:
    agent = start_agent("--max-artifact-mb", "2")
    arms = [_arm(tmp_path, "a", 1000), _arm(tmp_path, "b", 3_000_000), _arm(tmp_path, "c", 2000)]
    ledger = RunLedger(tmp_path / "ledger", durable=False)
    rules = Rules(arms_per_job=arms_per_job, holder="tests")
    workload = Workload(lambda info: arms, None, "none", None, ledger, rules=rules)

    device = InventoryDevice("board", agent.address)
    measured = await measure_on(device, tmp_path / "state", workload, lambda progress: None)

    ledger.close()
    failures = [each.raw.failure for each in measured]
    assert [each.request.name for each in measured] == ["a", "b", "c"]
    assert failures[0] is failures[2] is None
    assert failures[1] is not None
    assert failures[1].failure_class == "resources"
    assert "3000000 bytes are more than the agent takes" in failures[1].message
