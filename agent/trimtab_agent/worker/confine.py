"""What a worker may use: the processors it is bound to, how much memory, how large files."""

from __future__ import annotations

import os
import resource

from trimtab_agent.runtimes.base import WorkerError
from trimtab_agent.worker.messages import WorkerTask


class NotConfined(WorkerError):
    """The device has no such processors for it."""

    failure_class = "device"


def confine(task: WorkerTask) -> None:
    """Call it before a runtime starts its threads: they inherit all of it."""
    if task.cpu_affinity:
        try:
            os.sched_setaffinity(0, task.cpu_affinity)
        except (AttributeError, OSError) as error:
            cpus = ",".join(str(cpu) for cpu in task.cpu_affinity)
            raise NotConfined(f"cannot be bound to processors {cpus}: {error}") from error
    if task.memory_limit_bytes:
        # Not the address space: libraries and mapped weights would count, which can be evicted.
        limit = (task.memory_limit_bytes, task.memory_limit_bytes)
        resource.setrlimit(resource.RLIMIT_DATA, limit)
    if task.file_limit_bytes:
        # The interpreter ignores the signal that comes with it: writing fails instead.
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        most = task.file_limit_bytes
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
