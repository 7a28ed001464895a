"""How workers end when they do not end well."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from trimtab_agent.worker.messages import WorkerTask
from trimtab_agent.worker.process import WorkerProcess, run_worker

MINUTE_NS = 60_000_000_000
ENDLESS = WorkerTask(mode="repeat", runtime="null", warmup_duration_ns=MINUTE_NS)


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize(
    ("number", "failure_class", "said"),
    [
        (signal.SIGKILL, "device", "killed by signal 9 during warm_up"),
        (signal.SIGSEGV, "model", "crashed (SIGSEGV) during warm_up"),
        (signal.SIGTERM, "harness", "ended by SIGTERM during warm_up"),
    ],
)
async def test_a_worker_that_is_killed_is_a_failure_with_the_phase(
    tmp_path: Path, number: int, failure_class: str, said: str
) -> None:
    worker = WorkerProcess(ENDLESS, tmp_path)

    def kill(message: dict[str, Any]) -> None:
        if message.get("phase") == "warm_up":
            assert worker.pid is not None
            os.kill(worker.pid, number)

    failure = await worker.run(MINUTE_NS, kill)
    assert failure is not None
    assert failure.failure_class == failure_class
    assert said in failure.message
    assert "Traceback" not in failure.message
    assert list(tmp_path.iterdir()) == []


async def test_a_worker_over_its_time_is_killed_and_the_limit_named(tmp_path: Path) -> None:
    pids: list[int] = []
    failure = await run_worker(ENDLESS, tmp_path, 500_000_000, lambda _: None, pids.append)
    assert failure is not None
    assert failure.failure_class == "resources"
    assert "limit of 0.5 s" in failure.message
    assert gone(pids[0])


async def test_cancelling_kills_the_worker(tmp_path: Path) -> None:
    started = asyncio.Event()
    pids: list[int] = []

    async def listen(message: dict[str, Any]) -> None:
        if message.get("phase") == "warm_up":
            started.set()

    running = asyncio.create_task(run_worker(ENDLESS, tmp_path, MINUTE_NS, listen, pids.append))
    await started.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert gone(pids[0])
    assert list(tmp_path.iterdir()) == []


async def test_what_the_listener_raises_comes_back_and_ends_the_worker(tmp_path: Path) -> None:
    pids: list[int] = []

    def refuse(message: dict[str, Any]) -> None:
        raise OSError("journal is full")

    with pytest.raises(OSError, match="journal is full"):
        await run_worker(ENDLESS, tmp_path, MINUTE_NS, refuse, pids.append)
    assert gone(pids[0])


async def test_a_worker_that_does_not_start_is_the_harness_fault(tmp_path: Path) -> None:
    task = WorkerTask(mode="no such mode")  # type: ignore[arg-type]
    failure = await run_worker(task, tmp_path, MINUTE_NS, lambda _: None)
    assert failure is not None
    assert failure.failure_class == "harness"
    assert "unknown mode 'no such mode'" in failure.message


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_no_worker_outlives_an_agent_killed_with_9(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from trimtab_agent.worker.messages import WorkerTask\n"
        "from trimtab_agent.worker.process import WorkerProcess\n"
        "task = WorkerTask.from_json(sys.argv[2])\n"
        "worker = WorkerProcess(task, Path(sys.argv[1]))\n"
        "def tell(message):\n"
        "    if message.get('phase') == 'warm_up':\n"
        "        print(worker.pid, flush=True)\n"
        "asyncio.run(worker.run(60_000_000_000, tell))\n"
    )
    arguments = [sys.executable, "-c", program, str(tmp_path), ENDLESS.to_json()]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as agent:
        assert agent.stdout is not None
        worker_pid = int(agent.stdout.readline())
        agent.send_signal(signal.SIGKILL)
    assert gone(worker_pid)


def test_a_worker_whose_agent_is_gone_already_does_not_begin(tmp_path: Path) -> None:
    task = tmp_path / "task.json"
    task.write_text(ENDLESS.to_json())
    command = [sys.executable, "-m", "trimtab_agent.worker", str(task), str(os.getpid() + 1)]
    done = subprocess.run(command, capture_output=True, timeout=20, check=False)
    assert done.returncode == 1
    assert done.stdout == b""


def test_what_a_library_prints_stays_out_of_the_messages() -> None:
    program = (
        "import os\n"
        "from trimtab_agent.worker.channel import take_standard_output\n"
        "channel = take_standard_output()\n"
        "os.write(1, b'native noise')\n"
        "print('python noise', flush=True)\n"
        "channel.send('done')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, timeout=20, check=True
    )
    assert json.loads(done.stdout) == {"kind": "done"}
    assert b"native noise" in done.stderr


def test_a_worker_carries_no_grpc_in_its_memory() -> None:
    program = (
        "import trimtab_agent.worker.__main__, trimtab_agent.worker.repeat, sys\n"
        "import trimtab_agent.worker.memory, trimtab_agent.worker.evaluate\n"
        "print(sorted({'grpc', 'google.protobuf', 'asyncio', 'psutil'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, timeout=20, check=True, text=True
    )
    assert done.stdout.strip() == "[]"


def test_the_agents_side_imports_no_numpy_and_no_runtime() -> None:
    modules = "worker.process, worker.discovery, device, doctor.examination, validity, load"
    imports = "\n".join(f"import trimtab_agent.{name}" for name in modules.split(", "))
    program = (
        f"{imports}\nimport sys\n"
        "from trimtab_agent.runtimes.registry import create_runtime, runtime_names\n"
        "[create_runtime(name) for name in runtime_names()]\n"
        "heavy = {'numpy', 'torch', 'onnx', 'onnxruntime', 'ai_edge_litert', 'tensorflow'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, timeout=20, check=True, text=True
    )
    assert done.stdout.strip() == "[]"
