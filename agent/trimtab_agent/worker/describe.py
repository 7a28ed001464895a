"""Which runtimes can be used here, with their versions, or why not."""

from __future__ import annotations

from dataclasses import asdict

from trimtab_agent.runtimes.registry import describe_runtime, runtime_names
from trimtab_agent.worker.channel import Channel
from trimtab_agent.worker.messages import WorkerTask


def describe(task: WorkerTask, channel: Channel) -> None:
    names = (task.runtime,) if task.runtime else runtime_names()
    channel.send("runtimes", runtimes=[asdict(describe_runtime(name)) for name in names])
