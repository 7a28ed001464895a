"""What a runtime does by itself once it has been loaded for a while disturbs no measurement."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from trimtab.artifact_files import artifact_from_file
from trimtab.campaign.fleet import Campaign, measure_fleet
from trimtab.campaign.plan import Candidate, Choices
from trimtab.fleet.inventory import InventoryDevice
from trimtab.records import MeasurementSettings

# ONNX Runtime's own telemetry opens a socket nine seconds after a model was loaded.
_LONG = MeasurementSettings(
    runtime="",
    repeats=1,
    min_duration_s=11.0,
    max_duration_s=40.0,  # a loaded machine plans less, by what its slowest runs would take
    min_samples=1,
    warmup_s=0.1,
    max_warmup_s=0.2,
    max_retries=0,
)


async def test_a_measurement_of_many_seconds_ends_well(
    start_agent: Callable[..., Any], shared_data: Path, tmp_path: Path
) -> None:
    agent = start_agent()
    campaign = Campaign(
        devices=(InventoryDevice("pi5", agent.address),),
        candidates=(Candidate(artifact_from_file(shared_data / "models" / "mnist.onnx")),),
        choices=Choices(_LONG, runtimes=("onnxruntime",)),
        scratch=tmp_path,
        state=tmp_path / "local-agent",
    )
    (result,) = await measure_fleet(campaign, lambda progress: None, lambda results: None)
    assert result.error is None
    assert result.raw is not None
    assert sum(int(each.latency_ns.sum()) for each in result.raw.repeats) > 10.5e9


@pytest.mark.parametrize("imported", ["trimtab", "trimtab_agent.runtimes.onnxruntime"])
def test_onnxruntime_is_asked_to_tell_nobody_before_it_is_loaded(imported: str) -> None:
    program = (
        f"import os, {imported}\n"
        f"getattr({imported}, '_import', lambda: None)()\n"
        "print(os.environ['ORT_DISABLE_TELEMETRY'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "1\n"
