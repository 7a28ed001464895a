"""What a connection with TLS costs the host's processor, beside one in the clear.

python benchmarks/tls_connections.py [AGENTS [ENTRIES]]     20 agents, 10,000 certificates issued

Every agent is a real process on this machine. A connection is what a command makes of it: the look
at the device's certificate, gRPC's own handshake, what the host with the authority asks and brings
in passing, one call (GetDeviceInfo), the end. The processor time is this process's alone.
"""

from __future__ import annotations

import asyncio
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from benchkit.tables import print_heading, print_table
from trimtab.fleet.client import AgentClient
from trimtab.fleet.identity.authority import Authority, open_authority
from trimtab.fleet.identity.bundle import write_private
from trimtab.fleet.identity.folder import fleet_folder
from trimtab.fleet.identity.register import Entry
from trimtab.fleet.identity.register_file import register_file
from trimtab.fleet.identity.upkeep import renew

_READY = "listening on "
_READY_S = 120.0
_ROUNDS = 8
_UNTIMED = 2  # what is imported and read once
Place = tuple[str, str]
_Errand = Callable[[AgentClient], Awaitable[object]]


def main(agents: int, entries: int) -> int:
    with tempfile.TemporaryDirectory(prefix="ttt-") as folder, ExitStack() as running:
        os.environ["TRIMTAB_HOME"] = folder
        authority = open_authority(fleet_folder())
        names = [f"agent-{number}" for number in range(agents)]
        clear = [
            running.enter_context(_agent(Path(folder), name, f"unix:{folder}/{name}.sock"))
            for name in names
        ]
        secured = [
            running.enter_context(_agent(Path(folder), name, "127.0.0.1:0", authority))
            for name in names
        ]
        rows = [("in the clear", "-", _usual(clear)), ("TLS", str(agents), _usual(secured))]
        _fill(authority, entries)
        full = str(agents + entries)
        rows.append(("TLS", full, _usual(secured)))
        rows.append(("TLS, and a newer list brought", full, _telling(authority, secured)))
        rows.append(("TLS, and a new identity brought", full, _usual(secured, _renew)))
    print_heading("What a connection costs the host")
    cells = [(kind, issued, f"{ms:.1f} ms") for kind, issued, ms in rows]
    print_table(("connection", "certificates issued", "processor"), cells)
    return 0


async def _ask(client: AgentClient) -> object:
    return await client.device_info()


async def _renew(client: AgentClient) -> None:
    await renew(client.device, client.channel)


def _usual(places: Sequence[Place], errand: _Errand = _ask) -> float:
    return statistics.median([_round(places, errand) for _ in range(_ROUNDS)][_UNTIMED:])


def _telling(authority: Authority, places: Sequence[Place]) -> float:
    taken: list[float] = []
    for number in range(_ROUNDS):
        authority.issue("operator", f"eve-{number}")
        authority.revoke(f"eve-{number}")
        _ = authority.register  # read anew once, however many devices there are
        taken.append(_round(places, _ask))
    return statistics.median(taken[_UNTIMED:])


def _round(places: Sequence[Place], errand: _Errand) -> float:
    """Milliseconds of this process's processor for each, all connected at once."""

    async def one(name: str, address: str) -> None:
        async with AgentClient(name, address) as client:
            await errand(client)

    async def every() -> None:
        await asyncio.gather(*(one(*place) for place in places))

    before = _cpu_s()
    asyncio.run(every())
    return (_cpu_s() - before) / len(places) * 1e3


def _fill(authority: Authority, count: int) -> None:
    """A register as that of a large fleet."""
    made = Entry("", "device", "", "2999-01-01T00:00:00+00:00", "2026-01-01T00:00:00+00:00")
    others = [
        replace(made, name=f"other-{number}", serial=str(10**40 + number))
        for number in range(count)
    ]
    register = authority.register
    told = {**register.told, **{each.name: 1 for each in others}}
    with fleet_folder().locked():
        whole = replace(register, entries=[*register.entries, *others], told=told)
        register_file(fleet_folder().register).write(whole)


@contextmanager
def _agent(
    folder: Path, name: str, listen: str, authority: Authority | None = None
) -> Iterator[Place]:
    """With an identity where there is an authority that makes one."""
    state = folder / f"{name}-{'clear' if authority is None else 'tls'}"
    command = [sys.executable, "-m", "trimtab_agent", "serve", "--stop-with-stdin"]
    command += ["--listen", listen, "--state", str(state), "--name", name]
    if authority is not None:
        bundle = folder / f"{name}.identity"
        write_private(bundle, authority.issue("device", name).pem())
        command += ["--identity", str(bundle)]
    log = state.with_suffix(".log")
    with log.open("wb") as output:
        agent = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output)
    try:
        address = _address(log, agent)
        yield name, address if authority is None else f"tls://{address}"
    finally:
        agent.terminate()
        agent.communicate()


def _address(log: Path, agent: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + _READY_S
    while agent.poll() is None and time.monotonic() < deadline:
        _, found, rest = log.read_text().partition(_READY)
        if found and rest:
            return rest.split()[0].partition('"')[0]
        time.sleep(0.05)
    raise RuntimeError(f"an agent did not start: {log.read_text()[-500:]}")


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    counts = [int(text) for text in sys.argv[1:]]
    sys.exit(main(*(*counts, *(20, 10_000)[len(counts) :])))
