"""Entry of the worker: ``python -m trimtab_agent.worker TASK.json PARENT_PID``."""

from __future__ import annotations

import errno
import faulthandler
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from trimtab_protos.failure import Failure

from trimtab_agent.runtimes.base import WorkerError
from trimtab_agent.runtimes.reasons import FREE_MEMORY, one_line
from trimtab_agent.worker.channel import Channel, take_standard_output
from trimtab_agent.worker.confine import confine
from trimtab_agent.worker.isolation.entering import isolate
from trimtab_agent.worker.lifeline import be_first_to_go, forbid_core_file, hold_on_to
from trimtab_agent.worker.messages import WorkerTask
from trimtab_agent.worker.obituary import FILE_TOO_LARGE

_TOLD = 500
_REFUSED = {errno.EACCES, errno.EPERM, errno.EAFNOSUPPORT}
WRITES_NOWHERE_ELSE = "a worker has no network and may write only in its scratch folder"
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}


def run_task(task: WorkerTask, channel: Channel) -> None:
    """Modes are imported one by one: "describe" needs no numpy before its runtime does."""
    confine(task)
    channel.send(
        "confined",
        memory_limit_bytes=task.memory_limit_bytes,
        kept_limit_bytes=task.kept_limit_bytes,
    )
    if task.mode == "repeat":
        from trimtab_agent.worker.repeat import measure_repeat as work
    elif task.mode == "blocks":
        from trimtab_agent.worker.blocks import measure_blocks as work
    elif task.mode == "memory":
        from trimtab_agent.worker.memory import measure_memory as work
    elif task.mode == "evaluate":
        from trimtab_agent.worker.evaluate import evaluate as work
    elif task.mode == "profile":
        from trimtab_agent.worker.profile import profile_operators as work
    elif task.mode == "check":
        from trimtab_agent.worker.check import check_support as work
    elif task.mode == "describe":
        from trimtab_agent.worker.describe import describe as work
    else:
        raise ValueError(f"unknown mode {task.mode!r}")
    work(task, channel)


def failure_of(error: Exception, folder: Path | None, isolated: bool = False) -> Failure:
    """Who is to blame for what went wrong, in one line. ``isolated``: the kernel refuses things."""
    if isinstance(error, WorkerError):
        text = one_line(str(error), folder)
        if isolated and "permission denied" in text.lower():
            text = f"{text} ({WRITES_NOWHERE_ELSE})"
        return Failure(error.failure_class, text)
    if isinstance(error, MemoryError):
        return Failure("resources", f"out of memory: {FREE_MEMORY}")
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        return Failure("resources", "the device's disk is full: free some space and try again")
    if isinstance(error, OSError) and error.errno == errno.EFBIG:
        return Failure("model", f"stopped: {FILE_TOO_LARGE}")
    if isolated and isinstance(error, OSError) and error.errno in _REFUSED:
        text = one_line(f"{type(error).__name__}: {error}", folder)
        return Failure("model", f"{text} ({WRITES_NOWHERE_ELSE})")
    return Failure("harness", one_line(f"{type(error).__name__}: {error}", folder))


def stopper(channel: Channel) -> Callable[[str], NoReturn]:
    """Ends this worker, also from a child of it, saying what it tried."""
    worker = os.getpid()

    def stop(tried: str) -> NoReturn:
        text = " ".join(f"stopped: the model or its runtime {tried}".split())[:_TOLD]
        channel.send("failed", failure_class="model", message=text)
        if os.getpid() != worker:
            os.kill(worker, signal.SIGKILL)
        os._exit(0)

    return stop


def main(arguments: list[str]) -> int:
    channel = take_standard_output()
    faulthandler.enable()
    agent = int(arguments[1])
    hold_on_to(agent)
    forbid_core_file()
    be_first_to_go()
    task = WorkerTask.from_json(Path(arguments[0]).read_text(encoding="utf-8"))
    isolated = isolate(task, stopper(channel))
    hold_on_to(agent)  # the kernel forgets it where the worker became another user
    channel.send("isolated", in_force=isolated.in_force, missing=isolated.missing)
    try:
        run_task(task, channel)
    except Exception as error:
        folder = Path(task.model_path).parent if task.model_path else None
        failure = failure_of(error, folder, bool(isolated.in_force))
        if failure.failure_class == "harness":
            traceback.print_exc()
        channel.send("failed", failure_class=failure.failure_class, message=failure.message)
        return 0
    channel.send("done")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
