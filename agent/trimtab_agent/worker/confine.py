"""What a worker may use: the processors it is bound to, and how much memory."""

from __future__ import annotations

import os
import resource

from trimtab_agent.runtimes.base import WorkerError
from trimtab_agent.worker.messages import WorkerTask


class NotConfined(WorkerError):
    """The device has no such processors for it."""

    failure_class = "device"


def confine(task: WorkerTask) -> None:
    """Call it before a runtime starts its threads: they inherit both."""
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
