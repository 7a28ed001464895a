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
    """An import that crashes is "unavailable", and costs the others nothing.

    Ours get along with each other: one worker describes them all, which takes a third of the time
    of one each. Whom it did not come to is asked alone, and so is every third party's.
    """
    answers = {info.name: info for info in await _ask("", scratch, timeout_ns)}
    names = runtime_names()
    alone = [name for name in names if name not in answers]
    described = await asyncio.gather(*(_describe(name, scratch, timeout_ns) for name in alone))
    answers.update(zip(alone, described, strict=True))  # a third party's may call itself otherwise
    return tuple(answers[name] for name in names)


async def _describe(name: str, scratch: Path, timeout_ns: int) -> RuntimeInfo:
    found = await _ask(name, scratch, timeout_ns)
    return found[0]


async def _ask(name: str, scratch: Path, timeout_ns: int) -> list[RuntimeInfo]:
    """Empty ``name``: all of ours, as far as their worker came."""
    found: list[RuntimeInfo] = []

    def keep(message: Message) -> None:
        if message["kind"] == "runtime":
            found.append(_info(message["runtime"]))

    task = WorkerTask(mode="describe", runtime=name)
    failure = await run_worker(task, scratch, timeout_ns, keep)
    if name and not found:
        reason = failure.message if failure is not None else "the worker did not describe it"
        found.append(RuntimeInfo(name, "", "", (), (), reason))
    return found


def _info(fields: Message) -> RuntimeInfo:
    lists = {key: tuple(fields[key]) for key in ("model_formats", "accelerators")}
    return RuntimeInfo(**{**fields, **lists})
