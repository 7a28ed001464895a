"""Jobs on a device that is hot, throttled or busy: told so by files, or by real load."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from trimtab_protos.errors import status_to_failure
from trimtab_protos.v1 import benchmark_pb2

pytestmark = [pytest.mark.slow, pytest.mark.alone]

PASSED = benchmark_pb2.ValidityCheck.OUTCOME_PASSED
FAILED = benchmark_pb2.ValidityCheck.OUTCOME_FAILED
UNKNOWN = benchmark_pb2.ValidityCheck.OUTCOME_UNKNOWN
_ZONE = "sys/class/thermal/thermal_zone0/temp"
_FLAGS = "sys/devices/platform/soc/soc:firmware/get_throttled"
_CHANGES = {  # what stands there before, and what in the middle of the job
    "sys/devices/system/cpu/cpufreq/policy0/scaling_governor": ("performance", "powersave"),
    "sys/firmware/acpi/platform_profile": ("performance", "low-power"),
    "sys/devices/system/cpu/cpufreq/boost": ("1", "0"),
    "sys/class/power_supply/AC/online": ("1", "0"),
}
_BATTERY = "sys/class/power_supply/BAT0/status"
_VMSTAT = "proc/vmstat"


class Board:
    """An agent that reads the kernel's files from a folder of the test's."""

    def __init__(self, root: Path, agent: Any, client: Any, spec: Any) -> None:
        self.root = root
        self.agent = agent
        self.client = client
        self.spec = spec

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name("new")
        temporary.write_text(text + "\n")
        temporary.replace(path)

    def measure(self) -> tuple[Any, dict[str, Any], list[Any]]:
        """The only arm's result, its checks by name, and all events."""
        events = list(self.client.watch(self.client.submit(self.spec)))
        (result,) = events[-1].job_finished.job.result.arms
        return result, {check.name: check for check in result.checks}, events


@pytest.fixture
def board(start_agent: Any, connect: Any, make_spec: Any, tmp_path: Path) -> Board:
    """It measures the null runtime: what is measured does not matter here."""
    root = tmp_path / "root"
    root.mkdir()
    agent = start_agent("--root", str(root))
    client = connect(agent.address)
    models = {"m": (client.upload(b"any"), "any.onnx")}
    spec = make_spec(models, runtime="null", repeats=1, min_duration_s=0.6)
    return Board(root, agent, client, spec)


def ask_for_cool(spec: Any, celsius: float, timeout_s: float) -> None:
    spec.policy.max_start_temperature_celsius = celsius
    spec.policy.cooldown_timeout.FromMilliseconds(int(timeout_s * 1000))


def states(events: list[Any]) -> list[str]:
    changes = [event.state_changed.state for event in events if event.HasField("state_changed")]
    return [benchmark_pb2.Job.State.Name(state).removeprefix("STATE_") for state in changes]


def test_a_gate_that_never_cools_times_out_and_says_the_temperature(board: Board) -> None:
    board.write(_ZONE, "71250")
    ask_for_cool(board.spec, 50, 0.5)
    result, checks, events = board.measure()
    check = checks["START_TEMPERATURE"]
    assert (check.outcome, check.invalidates) == (FAILED, True)
    assert "still 71.2 °C" in check.seen
    assert "limit 50 °C" in check.seen
    assert result.conditions["start_temperature_c"] == "71.2"
    assert states(events)[:3] == ["PREPARING", "COOLING", "WARMING_UP"]


def test_a_device_that_cools_is_waited_for(board: Board) -> None:
    board.write(_ZONE, "71250")
    ask_for_cool(board.spec, 50, 60)
    job_id = board.client.submit(board.spec)
    for event in board.client.watch(job_id):
        if event.state_changed.state == benchmark_pb2.Job.STATE_COOLING:
            board.write(_ZONE, "49000")
    (result,) = board.client.job(job_id).result.arms
    checks = {check.name: check for check in result.checks}
    assert checks["START_TEMPERATURE"].outcome == PASSED
    assert result.conditions["start_temperature_c"] == "49.0"
    assert float(result.conditions["cooldown_s"]) > 0


def test_without_a_thermal_zone_the_gate_is_unknown_and_says_so(board: Board) -> None:
    ask_for_cool(board.spec, 50, 60)
    _, checks, events = board.measure()
    assert checks["START_TEMPERATURE"].outcome == UNKNOWN
    assert "no thermal zone" in checks["START_TEMPERATURE"].seen
    assert "COOLING" not in states(events)


@contextlib.contextmanager
def written_while_measuring(board: Board, job_id: str, files: dict[str, str]) -> Iterator[None]:
    def write() -> None:
        for event in board.client.watch(job_id):
            if event.phase == benchmark_pb2.PHASE_MEASURE:
                time.sleep(0.3)
                for name, text in files.items():
                    board.write(name, text)
                return

    thread = threading.Thread(target=write)
    thread.start()
    yield
    thread.join()


def test_throttling_that_begins_while_measuring_voids_with_its_moment(board: Board) -> None:
    board.write(_FLAGS, "0")
    board.spec.policy.min_duration.FromMilliseconds(1500)
    job_id = board.client.submit(board.spec)
    with written_while_measuring(board, job_id, {_FLAGS: "50005"}):
        job = board.client.finished(job_id)
    (result,) = job.result.arms
    check = next(check for check in result.checks if check.name == "NOT_THROTTLED")
    assert (check.outcome, check.invalidates) == (FAILED, True)
    assert "under-voltage, throttled from " in check.seen
    moment = float(check.seen.partition("throttled from ")[2].split()[0])
    assert moment > 0


def test_settings_that_change_in_the_middle_of_a_job_void_the_latency(board: Board) -> None:
    board.write(_BATTERY, "Discharging")
    for name, (before, _) in _CHANGES.items():
        board.write(name, before)
    job_id = board.client.submit(board.spec)
    with written_while_measuring(
        board, job_id, {name: late for name, (_, late) in _CHANGES.items()}
    ):
        job = board.client.finished(job_id)
    (result,) = job.result.arms
    checks = {check.name: check for check in result.checks}
    for name, seen in (
        ("GOVERNOR", "performance -> powersave"),
        ("POWER_MODE", "performance (platform profile), boost on -> low-power"),
        ("POWER_SOURCE", "mains -> battery"),
    ):
        assert (checks[name].outcome, checks[name].invalidates) == (FAILED, True)
        assert list(checks[name].metrics) == ["latency", "energy", "power", "battery"]
        assert seen in checks[name].seen
        assert checks[name].advice
    for setting in ("governor", "power_mode", "boost", "power_source"):
        assert result.conditions[setting] != result.conditions[f"{setting}_after"]


def test_pages_swapped_by_others_warn_and_a_low_memory_is_said_before_the_job(
    board: Board,
) -> None:
    board.write(_VMSTAT, "pswpin 10\npswpout 0")
    board.write("proc/meminfo", "MemTotal: 900000 kB\nMemAvailable: 0 kB")
    job_id = board.client.submit(board.spec)
    with written_while_measuring(board, job_id, {_VMSTAT: "pswpin 10\npswpout 70"}):
        *events, last = board.client.watch(job_id)
    (result,) = last.job_finished.job.result.arms
    checks = {check.name: check for check in result.checks}
    assert (checks["NO_SWAPPING"].outcome, checks["NO_SWAPPING"].invalidates) == (FAILED, False)
    assert "70 pages swapped" in checks["NO_SWAPPING"].seen
    assert (checks["FREE_MEMORY"].outcome, checks["FREE_MEMORY"].invalidates) == (FAILED, False)
    said = [event.log_line.text for event in events if event.HasField("log_line")]
    assert any(text.startswith("before the job: FREE_MEMORY: 0 MB free") for text in said)
    assert int(result.conditions["disk_free_mb"]) > 0


def test_a_spoiled_repeat_is_measured_again_and_only_the_last_attempt_counts(
    board: Board,
) -> None:
    board.write(_FLAGS, "4")
    board.spec.policy.max_retries = 2
    result, _, events = board.measure()
    loads = [
        event
        for event in events
        if event.phase == benchmark_pb2.PHASE_LOAD and event.HasField("phase_started")
    ]
    samples = [event.sample_batch for event in events if event.HasField("sample_batch")]
    assert len(loads) == 3
    # Throttled each time; on a busy machine the load is named first.
    assert result.conditions["retries"].count("repeat 1: ") == 2
    assert len(result.load_duration_ns) == 1
    assert result.sample_count == sum(len(batch.latency_ns) for batch in samples)
    count = result.conditions["planned_samples"].split()[0]
    assert result.sample_count == int(count)


@pytest.fixture
def busy() -> Iterator[Callable[[], None]]:
    """Keeps every processor busy."""
    loops: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        for _ in range((os.cpu_count() or 1) * 2):
            loops.append(subprocess.Popen([sys.executable, "-c", "while True: pass"]))

    yield start
    for loop in loops:
        loop.kill()
        loop.wait()


def test_with_all_processors_busy_the_latency_is_void_and_the_load_is_named(
    board: Board, busy: Callable[[], None]
) -> None:
    busy()
    _, checks, _ = board.measure()
    check = checks["FOREIGN_LOAD"]
    assert (check.outcome, check.invalidates) == (FAILED, True)
    assert list(check.metrics) == ["latency"]
    assert "python" in check.seen.partition(" by ")[2]


def test_a_pinned_arm_says_where_it_ran_and_a_processor_that_is_not_there_is_refused(
    board: Board, error_of: Any
) -> None:
    (processor, *_) = sorted(os.sched_getaffinity(0))
    board.spec.arms[0].cpu_affinity.append(processor)
    result, _, _ = board.measure()
    assert result.conditions["affinity"] == str(processor)
    assert result.conditions["threads"] == "1"
    board.spec.arms[0].cpu_affinity.append(1000)
    refused = error_of(lambda: board.client.submit(board.spec))
    assert refused.metadata["field"] == "arms[0].cpu_affinity"
    assert "1000" in refused.message


def test_a_job_beyond_its_memory_limit_ends_with_resources_and_says_the_limit(
    board: Board,
) -> None:
    board.spec.policy.memory_limit_bytes = 20_000_000
    result, _, _ = board.measure()
    failure = status_to_failure(result.error)
    assert failure.failure_class == "resources"
    assert "memory limit of 20 MB" in failure.message


def test_a_thermometer_that_hangs_costs_the_temperature_alone(board: Board) -> None:
    board.write(_ZONE, "41000")
    before = board.client.info().device_id

    def hang() -> None:
        time.sleep(1.5)
        (board.root / _ZONE).unlink()
        os.mkfifo(board.root / _ZONE)

    hanging = threading.Thread(target=hang)
    hanging.start()
    spec = board.spec
    spec.policy.min_duration.FromMilliseconds(3000)
    result, _, _ = board.measure()
    hanging.join()
    assert result.sample_count > 0
    assert result.conditions["temperature_c_after"] == (
        "unknown: a driver did not answer within 5 s"
    )
    assert board.agent.process.poll() is None
    assert board.client.info().device_id == before, "the agent answers on"
