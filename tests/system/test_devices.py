"""``trimtab devices`` over a fleet: list, label, top, doctor, log file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Trimtab = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def fleet(trimtab: Trimtab, start_agent: Callable[..., Any], tmp_path: Path) -> Any:
    """``alive`` with its agent, and ``dead``."""
    agent = start_agent()
    for name, address in (("alive", agent.address), ("dead", f"unix:{tmp_path}/none.sock")):
        added = trimtab("devices", "add", name, address, "--label", f"is={name}")
        assert added.returncode == 0, added.stderr
    return agent


def test_list_tells_what_the_selected_devices_do(fleet: Any, trimtab: Trimtab) -> None:
    labelled = trimtab("devices", "label", "alive", "room=lab", "is-")
    listed = trimtab("devices", "list", "label:room=lab", "dead", "--format", "json")

    assert labelled.returncode == 0, labelled.stderr
    rows = json.loads(listed.stdout)["devices"]
    assert [row["name"] for row in rows] == ["alive", "dead"]
    assert rows[0]["labels"] == {"room": "lab"}
    assert rows[0]["status"] == "answers"
    assert rows[0]["waiting"] == []
    assert "no agent answers" in rows[1]["status"]
    assert rows[1]["waiting"] is None


def test_top_looks_once_for_programs(fleet: Any, trimtab: Trimtab) -> None:
    looked = trimtab("devices", "top", "--once", "--format", "json")

    assert looked.returncode == 3, looked.stderr
    alive, dead = json.loads(looked.stdout)["devices"]
    assert alive["device"] == "alive"
    assert alive["problem"] is None
    assert alive["disk_free_bytes"] > 0
    assert alive["telemetry"]["cpu_busy"] is not None
    assert dead["device"] == "dead"
    assert "no agent answers" in dead["problem"]
    assert "holder" not in dead
    table = trimtab("devices", "top", "alive", "--once")
    assert table.returncode == 0
    assert "alive" in table.stdout


def test_who_does_not_answer_is_passed_over_with_a_line(fleet: Any, trimtab: Trimtab) -> None:
    looked = trimtab("devices", "top", "memory>=1MB", "--once", "--format", "json")

    assert looked.returncode == 3, looked.stderr
    assert [each["device"] for each in json.loads(looked.stdout)["devices"]] == ["alive"]
    (line,) = looked.stderr.splitlines()
    assert line.startswith("passed over: dead does not answer: no agent answers")
    alone = trimtab("devices", "top", "label:is=alive and memory>=1MB", "--once")
    assert (alone.returncode, alone.stderr) == (0, "")


def test_top_without_a_terminal_tells_changes_and_finds_a_restarted_agent(
    fleet: Any, environment: dict[str, str], start_agent: Callable[..., Any], tmp_path: Path
) -> None:
    command = [sys.executable, "-u", "-m", "trimtab", "devices", "top", "alive"]
    output = tmp_path / "top.txt"
    with output.open("wb") as file:
        top = subprocess.Popen(command, env=environment, stdout=file, stderr=subprocess.STDOUT)
    try:
        _wait_for(output, "alive: no job")
        fleet.stop()
        _wait_for(output, "no agent answers")
        start_agent(listen=fleet.address, state=fleet.state)
        _wait_for(output, "alive: no job", times=2)
    finally:
        top.send_signal(signal.SIGINT)
        code = top.wait(20)
    assert code == 0, output.read_text()
    assert output.read_text().count("alive: no job") == 2, "a line for every change, no more"


def test_top_of_a_fleet_of_none_says_what_to_do(trimtab: Trimtab) -> None:
    looked = trimtab("devices", "top", "--once")

    assert looked.returncode == 2
    assert "trimtab devices add" in looked.stderr


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no pseudo-terminals here")
def test_q_ends_the_live_view(fleet: Any, environment: dict[str, str]) -> None:
    own, theirs = os.openpty()
    command = [sys.executable, "-m", "trimtab", "devices", "top", "alive"]
    terminal = {**environment, "TERM": "xterm", "LINES": "30"}
    top = subprocess.Popen(command, env=terminal, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    try:
        shown = b""
        deadline = time.monotonic() + 30
        while b"alive" not in shown or b"GB" not in shown:
            assert time.monotonic() < deadline, shown[-2000:]
            shown += os.read(own, 65536)
        os.write(own, b"q")
        while top.poll() is None and time.monotonic() < deadline:
            try:
                os.read(own, 65536)
            except OSError:  # the other end is closed
                break
        assert top.wait(20) == 0
    finally:
        top.kill()
        top.wait()
        os.close(own)


@pytest.mark.slow
def test_doctor_examines_all_at_once_and_says_who_is_silent(fleet: Any, trimtab: Trimtab) -> None:
    examined = trimtab("devices", "doctor", "alive", "dead", "--format", "json")

    assert examined.returncode == 3, examined.stderr
    alive, dead = json.loads(examined.stdout)["devices"]
    assert {finding["outcome"] for finding in alive["findings"]} <= {"ok", "warning", "unknown"}
    assert alive["answers"]
    assert not dead["answers"]
    assert "no agent answers" in dead["problem"]
    table = trimtab("devices", "doctor", "alive", "--all-findings")
    assert table.returncode == (1 if "voids latencies" in table.stdout else 0)


def test_a_run_is_in_the_log_file_with_device_and_job(
    fleet: Any, trimtab: Trimtab, shared_data: Path, tmp_path: Path
) -> None:
    model = shared_data / "models" / "mnist.onnx"
    quick = ("--repeats", 1, "--min-duration", "100ms")

    run = trimtab("--log-file", tmp_path / "log", "bench", model, "-d", "alive", *quick)

    assert run.returncode == 0, run.stderr
    told = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert {each.get("device") for each in told} == {"alive"}
    assert len({each.get("run_id") for each in told}) == 1
    assert told[0]["run_id"]
    begun = [each["message"].partition(":")[0] for each in told]
    order = ["connected", "submitted", "collected"]
    assert [each for each in begun if each in order] == order
    (job_id,) = {each["job_id"] for each in told if each["message"].startswith("collected")}
    assert f"job={job_id}" in fleet.log.read_text(), "the same job on both sides"


def _wait_for(path: Path, text: str, times: int = 1) -> None:
    deadline = time.monotonic() + 30
    while path.read_text().count(text) < times:
        assert time.monotonic() < deadline, path.read_text()
        time.sleep(0.05)
