"""What a worker gives up on this device, and what has to be done for the rest.

Told by a worker of the doctor's own: the process that asks gives nothing up.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from trimtab_agent.doctor.finding import Finding
from trimtab_agent.worker.isolation.state import Isolation
from trimtab_agent.worker.messages import WorkerTask
from trimtab_agent.worker.process import Message, run_worker

_NAME = "isolation"
_TIMEOUT_NS = 30_000_000_000
_OTHERS_MAY_PASS = 0o711
_OTHERWISE = "docs/isolation.md says where each part is to be had"
# Part -> what helps; several of a kernel's parts may be missing for one reason.
_ADVICE = {
    "everything": "start the agent on Linux, without --no-isolation",
    "limit of processes": (
        "let the agent make control groups: Delegate=pids in its systemd unit, without "
        "ProtectControlGroups"
    ),
    "no new privileges": "use a Linux kernel from 3.5 on",
    "landlock": "use a kernel from 5.13 on, with landlock in its boot parameter lsm=",
    "seccomp": "use a kernel from 4.14 on with CONFIG_SECCOMP_FILTER, or a container that lets it",
    "network": "let workers have seccomp, or the right to make a network of their own",
    "another user": (
        "run the agent as a user who owns nothing else, or as root with a user for its workers "
        "(trimtab-agent serve --worker-user NAME)"
    ),
}


async def worker_isolation(state: Path) -> Isolation | str:
    """What came of it in a worker that does nothing else, or why it could not be had.

    ``state``: where the agent's own workers have their folders, or a folder above: whether another
    user may pass it is part of the answer.
    """
    told: list[Isolation] = []

    def keep(message: Message) -> None:
        if message["kind"] == "isolated":
            told.append(Isolation(list(message["in_force"]), dict(message["missing"])))

    folder = state if os.access(state, os.W_OK) and state != Path("/") else None
    with tempfile.TemporaryDirectory(prefix="trimtab-doctor-", dir=folder) as scratch:
        Path(scratch).chmod(_OTHERS_MAY_PASS)
        task = WorkerTask(mode="describe", runtime="null")
        failure = await run_worker(task, Path(scratch), _TIMEOUT_NS, keep)
    if failure is not None:
        return failure.message
    return told[0] if told else "the worker said nothing of it"


def isolation_finding(found: Isolation | str) -> Finding:
    if isinstance(found, str):
        return Finding(_NAME, "unknown", f"a worker that was to tell failed: {found}")
    in_force = f"workers have {', '.join(found.in_force) or 'none'}"
    if not found.missing:
        return Finding(_NAME, "ok", in_force)
    missing = "; ".join(f"{part} ({why})" for part, why in found.missing.items())
    advice = dict.fromkeys(_ADVICE.get(part, _OTHERWISE) for part in found.missing)
    return Finding(_NAME, "warning", f"{in_force}; missing: {missing}", "; ".join(advice))
