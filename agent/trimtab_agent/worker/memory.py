"""The memory pass: a process of its own, so that reading memory costs the latency nothing."""

from __future__ import annotations

import gc
from dataclasses import asdict
from pathlib import Path

from trimtab_agent.records import MemoryUse
from trimtab_agent.worker.channel import Channel
from trimtab_agent.worker.loading import import_runtime, load_session, prepare_inputs
from trimtab_agent.worker.messages import WorkerTask

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # proc(5): resets VmHWM to the current resident size
_INFERENCES = 10
_KIB = 1024


def measure_memory(task: WorkerTask, channel: Channel) -> None:
    """Peaks: while loading, and from the end of loading over the first and ten more inferences."""
    channel.send("phase", phase="memory")
    runtime, _ = import_runtime(task)
    gc.collect()
    runtime_bytes = read_status("VmRSS")
    resets = reset_peak()
    session, _ = load_session(runtime, task)
    load_peak = read_status("VmHWM") if resets else None
    file_backed = [read_status("RssFile")]
    inputs = prepare_inputs(session, task)
    resets = reset_peak() and resets
    session.bind(inputs)
    session.run()
    first_bytes = read_status("VmRSS")
    for _ in range(_INFERENCES):
        session.run()
        file_backed.append(read_status("RssFile"))
    peak = read_status("VmHWM") if resets else None
    session.close()
    del session, inputs
    gc.collect()
    use = MemoryUse(
        runtime_bytes=runtime_bytes,
        model_bytes=_more(first_bytes, runtime_bytes),
        load_peak_bytes=load_peak,
        peak_bytes=peak,
        retained_bytes=_more(read_status("VmRSS"), runtime_bytes),
        peak_file_backed_bytes=max(
            (size for size in file_backed if size is not None), default=None
        ),
    )
    channel.send("memory", **asdict(use))


def read_status(field: str, status: Path = _STATUS) -> int | None:
    """Bytes of one field of /proc/self/status; None where the system has no such thing."""
    try:
        lines = status.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * _KIB
    return None


def reset_peak(clear_refs: Path = _CLEAR_REFS) -> bool:
    """Whether the kernel let VmHWM be reset; without it a peak would be an older phase's."""
    try:
        clear_refs.write_text(_RESET_PEAK)
    except OSError:
        return False
    return True


def _more(now: int | None, before: int | None) -> int | None:
    """Growth; a process that shrank below its start grew by nothing."""
    return None if now is None or before is None else max(now - before, 0)
