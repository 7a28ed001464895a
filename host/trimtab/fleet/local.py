"""The local device: an agent started as a process of its own, on a Unix socket, as on any board."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from trimtab.fleet.client import AgentClient
from trimtab.fleet.errors import DeviceUnreachable

_START_TIMEOUT_S = 20.0
_STOP_TIMEOUT_S = 10.0
_LOG_LINES = 5
_STATE_TAKEN = "uses the state folder"


@asynccontextmanager
async def local_agent(state: Path) -> AsyncIterator[str]:
    """The address of a fresh agent that keeps its store in ``state``, stopped on leaving.

    Raises DeviceUnreachable where the agent does not come up, with its last words.
    """
    # A short path: binding a Unix socket fails above about 100 bytes.
    scratch = Path(tempfile.mkdtemp(prefix="trimtab-"))
    process: asyncio.subprocess.Process | None = None
    try:
        process = await _start(scratch, state)
        address = f"unix:{scratch / 'agent.sock'}"
        await _wait_until_it_answers(process, address, scratch / "agent.log")
        yield address
    finally:
        if process is not None:
            await asyncio.shield(_stop(process))
        shutil.rmtree(scratch, ignore_errors=True)


async def _start(scratch: Path, state: Path) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "trimtab_agent", "serve"]
    command += ["--listen", f"unix:{scratch / 'agent.sock'}", "--state", str(state)]
    command += ["--log-format", "text"]  # its last words go into an error, whatever is in force
    with (scratch / "agent.log").open("wb") as log:
        # Its standard input is a pipe that nobody writes to: it closes when this process is gone,
        # however that happened, and the agent stops. A session of its own: Ctrl-C at the terminal
        # reaches the host alone, which then cancels the job in order.
        return await asyncio.create_subprocess_exec(
            *command,
            "--stop-with-stdin",
            stdin=asyncio.subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


async def _wait_until_it_answers(
    process: asyncio.subprocess.Process, address: str, log: Path
) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _START_TIMEOUT_S
    socket = Path(address.removeprefix("unix:"))
    while loop.time() < deadline and process.returncode is None:
        if socket.exists() and await _answers(address):
            return
        await asyncio.sleep(0.02)
    raise DeviceUnreachable(_why_not(log.read_text(errors="replace")))


async def _answers(address: str) -> bool:
    """The socket is there a moment before it listens."""
    async with AgentClient("local", address) as client:
        try:
            await client.device_info(_START_TIMEOUT_S)
        except DeviceUnreachable:
            return False
    return True


def _why_not(log: str) -> str:
    if _STATE_TAKEN in log:
        return "another trimtab is measuring on this machine: wait until it has ended"
    words = " | ".join(log.splitlines()[-_LOG_LINES:])
    return f"the local agent did not start: {words or 'it said nothing'}"


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), _STOP_TIMEOUT_S)
    except TimeoutError:
        process.kill()
        await process.wait()
