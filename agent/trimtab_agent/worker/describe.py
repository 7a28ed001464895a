"""Which runtimes can be used here, with their versions, or why not."""

from __future__ import annotations

from dataclasses import asdict

from trimtab_agent.runtimes.registry import describe_runtime, own_runtime_names
from trimtab_agent.worker.channel import Channel
from trimtab_agent.worker.messages import WorkerTask


def describe(task: WorkerTask, channel: Channel) -> None:
    """One by one: what was said stays said where the next one's import ends the process."""
    for name in (task.runtime,) if task.runtime else own_runtime_names():
        channel.send("runtime", runtime=asdict(describe_runtime(name)))
