"""Workers beyond their time or memory, in every pass, and those that the kernel kills."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from trimtab_agent.worker.messages import Mode, WorkerTask
from trimtab_agent.worker.obituary import beyond_memory, died_of_signal, killed
from trimtab_agent.worker.oom import (
    KernelKills,
    count_kills,
    group_limit_bytes,
    killed_for_memory,
)
from trimtab_agent.worker.process import run_worker
from trimtab_protos.failure import Failure

MINUTE_NS = 60_000_000_000
PASSES = [mode for mode in get_args(Mode) if mode != "describe"]


@pytest.mark.parametrize("mode", PASSES)
async def test_over_its_time_in_any_pass_it_is_killed_and_the_limit_named(
    tmp_path: Path, mode: Mode
) -> None:
    """No interpreter starts within 5 ms."""
    task = WorkerTask(mode=mode, runtime="null")
    failure = await run_worker(task, tmp_path, 5_000_000, lambda _: None)
    assert failure is not None
    assert failure.failure_class == "resources"
    assert "limit of 0.005 s" in failure.message
    assert "--process-timeout" in failure.message


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the data of a process so")
@pytest.mark.parametrize("mode", PASSES)
async def test_over_its_memory_in_any_pass_the_limit_is_named(tmp_path: Path, mode: Mode) -> None:
    task = WorkerTask(mode=mode, runtime="null", memory_limit_bytes=20_000_000)
    failure = await run_worker(task, tmp_path, MINUTE_NS, lambda _: None)
    assert failure is not None
    assert failure.failure_class == "resources"
    assert "memory limit of 20 MB" in failure.message


@pytest.mark.skipif(sys.platform != "linux", reason="Linux's way to choose whom to end")
async def test_a_device_short_of_memory_ends_the_worker_before_the_agent(tmp_path: Path) -> None:
    pids: list[int] = []
    seen: list[int] = []

    def hear(message: dict[str, Any]) -> None:
        if message["kind"] == "isolated":
            seen.append(int(Path(f"/proc/{pids[0]}/oom_score_adj").read_text()))

    await run_worker(WorkerTask("describe", "null"), tmp_path, MINUTE_NS, hear, pids.append)
    assert seen == [1000]
    assert int(Path("/proc/self/oom_score_adj").read_text()) < 1000


@pytest.mark.parametrize("limit", [900, 0])
async def test_a_file_larger_than_any_worker_may_write_ends_it_with_the_reason(
    tmp_path: Path, save_linear: Callable[[int], Path], limit: int
) -> None:
    np.savez(tmp_path / "eval.npz", x=np.zeros((100, 2), np.float32))
    outputs = tmp_path / "outputs" / "outputs.npz"
    outputs.parent.mkdir()
    task = WorkerTask(
        "evaluate",
        "onnxruntime",
        str(save_linear(1)),
        evaluation_inputs_path=str(tmp_path / "eval.npz"),
        outputs_path=str(outputs),
        file_limit_bytes=limit,
    )
    failure = await run_worker(task, tmp_path, MINUTE_NS, lambda _: None)
    assert outputs.exists() == (not limit)
    if limit:
        text = "stopped: the model or its runtime wrote a file larger than any worker may"
        assert failure == Failure("model", text)


def test_a_worker_that_the_signal_for_it_ended_gives_the_same_reason() -> None:
    failure = died_of_signal(signal.SIGXFSZ, "load", "")
    assert failure.failure_class == "model"
    assert "wrote a file larger than any worker may" in failure.message


def test_what_to_do_is_said_once() -> None:
    inner = "out of memory (bad_alloc): free memory on the device, or use a smaller model or batch"
    failure = beyond_memory(Failure("resources", inner), 10**8)
    assert failure.message.endswith("smaller model or batch (out of memory (bad_alloc))")
    assert "free memory" not in failure.message


def test_a_refused_model_keeps_its_own_reason_under_a_limit() -> None:
    refused = Failure("model", "no such operator")
    assert beyond_memory(refused, 10**8) == refused


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_version_2_of_control_groups_is_read(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/system.slice/agent.service\n",
            "proc/vmstat": "pgfault 7\noom_kill 9\n",
            "sys/fs/cgroup/system.slice/agent.service/memory.events": "oom 3\noom_kill 2\n",
            "sys/fs/cgroup/system.slice/agent.service/memory.max": "max\n",
            "sys/fs/cgroup/system.slice/memory.max": "512000000\n",
        },
    )
    assert count_kills(root) == KernelKills(group=2, system=9)
    assert group_limit_bytes(root) == 512_000_000


def test_version_1_of_control_groups_is_read(tmp_path: Path) -> None:
    group = "sys/fs/cgroup/memory/board"
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "5:cpu,cpuacct:/\n4:memory:/board\n0::/\n",
            f"{group}/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
            f"{group}/memory.limit_in_bytes": "256000000\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        },
    )
    assert count_kills(root) == KernelKills(group=1, system=None)
    assert group_limit_bytes(root) == 256_000_000


def test_a_container_that_sees_only_its_own_group_is_read(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/docker/abc\n",
            "sys/fs/cgroup/memory.events": "oom_kill 4\n",
            "sys/fs/cgroup/memory.max": "1000000\n",
        },
    )
    assert count_kills(root).group == 4
    assert group_limit_bytes(root) == 1_000_000


def test_a_system_without_counters_cannot_tell(tmp_path: Path) -> None:
    nothing = count_kills(tmp_path)
    assert nothing == KernelKills(None, None)
    assert group_limit_bytes(tmp_path) is None
    assert killed_for_memory(nothing, nothing) is None


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (KernelKills(1, 5), KernelKills(2, 6), True),
        (KernelKills(1, 5), KernelKills(1, 6), False),  # somebody else's
        (KernelKills(None, 5), KernelKills(None, 6), True),
        (KernelKills(None, 5), KernelKills(None, 5), False),
    ],
)
def test_the_nearest_counter_decides(before: Any, after: Any, verdict: bool) -> None:
    assert killed_for_memory(before, after) is verdict


@pytest.mark.parametrize(
    ("for_memory", "limit", "said"),
    [
        (True, 512_000_000, "by the kernel for memory during load: the limit of 512 MB of"),
        (True, None, "by the kernel for memory during load: the device's memory was used up"),
        (None, None, "by signal 9 during load; out of memory?"),
        (False, None, "by signal 9 during load, and not by the kernel"),
    ],
)
def test_only_what_can_be_told_is_told(
    for_memory: bool | None, limit: int | None, said: str
) -> None:
    failure = killed("load", for_memory, limit)
    # What somebody killed is tried again; what had no memory would have none again.
    assert failure.failure_class == ("device" if for_memory is False else "resources")
    assert said in failure.message


@pytest.fixture
def small_group() -> Iterator[Path]:
    """A memory control group of 200 MiB, below the one the tests run in."""
    path = next(
        (
            line.split(":", 2)[2].strip()
            for line in Path("/proc/self/cgroup").read_text().splitlines()
            if ":memory:" in line
        ),
        None,
    )
    group = Path(f"/sys/fs/cgroup/memory{path}/trimtab-test-{os.getpid()}")
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(200 << 20))
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    yield group
    with contextlib.suppress(OSError):
        group.rmdir()


_JOIN_AND_MEASURE = """
import asyncio, os, sys
from pathlib import Path
from trimtab_agent.worker.messages import WorkerTask
from trimtab_agent.worker.process import run_worker
Path(sys.argv[1], "cgroup.procs").write_text(str(os.getpid()))
task = WorkerTask.from_json(sys.argv[2])
print(asyncio.run(run_worker(task, Path(sys.argv[3]), 60_000_000_000, lambda _: None)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="control groups are Linux's")
async def test_a_worker_that_the_kernel_kills_names_the_groups_limit(
    small_group: Path, write_tflite: Any, tmp_path: Path
) -> None:
    shape = (1, 64 << 20)  # 256 MiB a tensor
    model = tmp_path / "large.tflite"
    tensors = {"x": (shape, "float32"), "y": (shape, "float32")}
    write_tflite(model, tensors, [("TANH", ["x"], ["y"])], ["x"], ["y"])
    task = WorkerTask(mode="repeat", runtime="litert", model_path=str(model))
    command = [sys.executable, "-c", _JOIN_AND_MEASURE, str(small_group), task.to_json()]
    said = await asyncio.to_thread(
        subprocess.run, [*command, str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert "failure_class='resources'" in said.stdout, said.stderr
    assert "killed by the kernel for memory" in said.stdout
    assert "the limit of 209.715 MB of the agent's control group" in said.stdout
