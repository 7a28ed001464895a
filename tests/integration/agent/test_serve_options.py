"""What ``serve`` refuses in its options, and how it says so and that it is ready."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def refused(state: Path, *options: str) -> str:
    """Its one line."""
    command = [sys.executable, "-m", "trimtab_agent", "serve", "--listen", "127.0.0.1:0"]
    done = subprocess.run(
        [*command, "--state", str(state), *options],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    return line


@pytest.mark.parametrize(
    "options",
    [
        ("--max-job-hours", "nan"),
        ("--max-calls-per-second", "nan"),
        ("--max-calls-per-second", "inf"),
    ],
)
def test_what_is_no_number_is_refused(options: tuple[str, str], tmp_path: Path) -> None:
    assert f"{' '.join(options)}: give a number" in refused(tmp_path, *options)


def test_a_place_for_metrics_without_a_port_is_refused(tmp_path: Path) -> None:
    assert "without --metrics-port" in refused(tmp_path, "--metrics-listen", "127.0.0.2")


def test_as_json_a_refusal_and_that_it_is_ready_are_records(
    start_agent: Any, tmp_path: Path
) -> None:
    agent = start_agent("--log-format", "json")
    agent.stop()
    records = [json.loads(line) for line in agent.log.read_text().splitlines()]
    (ready,) = [each for each in records if "listening on" in each["message"]]
    assert ready["message"].endswith(f"listening on {agent.address}")
    assert ready["level"] == "info"

    refusal = json.loads(refused(tmp_path, "--log-format", "json", "--max-job-hours", "nan"))
    assert refusal["level"] == "error"
    assert "--max-job-hours nan" in refusal["message"]
    assert refusal.keys() == ready.keys()
