"""Which runtimes this device has, asked in workers: the agent itself imports none."""

from __future__ import annotations

import asyncio
from pathlib import Path

from trimtab_agent.records import RuntimeInfo
from trimtab_agent.runtimes.registry import runtime_names
from trimtab_agent.worker.messages import WorkerTask
from trimtab_agent.worker.process import Message, run_worker

_TIMEOUT_NS = 60_000_000_000  # a cold import of tensorflow from an SD card takes most of a minute


async def describe_runtimes(
    scratch: Path, timeout_ns: int = _TIMEOUT_NS
) -> tuple[RuntimeInfo, ...]:
    """One child per registered runtime, side by side; an import that crashes is "unavailable"."""
    names = runtime_names()
    described = await asyncio.gather(*(_describe(name, scratch, timeout_ns) for name in names))
    return tuple(described)


async def _describe(name: str, scratch: Path, timeout_ns: int) -> RuntimeInfo:
    found: list[RuntimeInfo] = []

    def keep(message: Message) -> None:
        if message["kind"] == "runtimes":
            found.extend(_info(fields) for fields in message["runtimes"])

    task = WorkerTask(mode="describe", runtime=name)
    failure = await run_worker(task, scratch, timeout_ns, keep)
    if failure is None and found:
        return found[0]
    reason = failure.message if failure is not None else "the worker did not describe it"
    return RuntimeInfo(name, "", "", (), (), reason)


def _info(fields: Message) -> RuntimeInfo:
    lists = {key: tuple(fields[key]) for key in ("model_formats", "accelerators")}
    return RuntimeInfo(**{**fields, **lists})
