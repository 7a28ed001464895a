"""A push over a raw socket that does the same: at least 0.6 of it.

Both sides take one file of random bytes from the page cache through TCP loopback to a process of
its own, which hashes (SHA-256), writes and syncs it; the time ends with its answer. The raw side is
one connection and no protocol (``benchkit/raw_receiver.py``), in pieces of the same size; ours is
``trimtab.fleet.transfer.push`` to an agent: asked what is missing, resumable, verified, named. In
turns (A B B A ...), on this machine's disk and in memory (where the disk hides nothing). Then one
file to many agents at once: the time, and what it costs the host.

    TRIMTAB_BENCH_FILE=rows.jsonl python benchmarks/push_throughput.py

With that file it goes on where it was broken off. Also TRIMTAB_BENCH_PAIRS, _MEGABYTES (the file),
_AGENTS (counts with commas; empty: none). Exits with 1 where an interval lies below 0.6 altogether.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median

from benchkit.fleet.agents import AgentFleet
from benchkit.ratios import Ratio, Verdict, ratio_of
from benchkit.raw_receiver import pushed_raw, receiving
from benchkit.rows import Row, Rows
from benchkit.tables import print_heading, print_table, say
from trimtab.fleet.client import AgentClient
from trimtab.fleet.transfer import push
from trimtab_protos.digest import Digest, digest_file

BOUND = 0.6
PAIRS = int(os.environ.get("TRIMTAB_BENCH_PAIRS", "10"))
MEGABYTES = int(os.environ.get("TRIMTAB_BENCH_MEGABYTES", "200"))
AGENTS = tuple(map(int, filter(None, os.environ.get("TRIMTAB_BENCH_AGENTS", "1,5,20").split(","))))
_FANNED_MEGABYTES = 20
_CHUNK = 1 << 19  # what push sends at a time
_MEMORY = Path("/dev/shm")  # noqa: S108
_READY = "listening on "


def main() -> int:
    rows = Rows.of_environment()
    places = {"disk": Path(tempfile.gettempdir())}
    if os.access(_MEMORY, os.W_OK):
        places["memory"] = _MEMORY
    taken = {name: _pairs(rows, name, place) for name, place in places.items()}
    fanned = [_fanned(rows, count) for count in AGENTS]
    print_heading("A push over a raw socket that hashes, writes and syncs")
    verdicts = _print(taken)
    _print_fanned(fanned)
    return int(any(verdict.off for verdict in verdicts))


def _pairs(rows: Rows, name: str, place: Path) -> list[Row]:
    key = {"benchmark": "push", "place": name, "megabytes": MEGABYTES}
    with (
        _scratch(place) as folder,
        _agent(folder / "state") as address,
        receiving(folder, _CHUNK) as port,
    ):
        return [
            rows.once({**key, "index": index}, partial(_pair, index, folder, address, port))
            for index in range(PAIRS)
        ]


def _pair(index: int, folder: Path, address: str, port: int) -> Row:
    say(f"{folder}: pair {index + 1} of {PAIRS}")
    path, digest = _random_file(folder, MEGABYTES)

    def raw() -> None:
        if pushed_raw(port, path, _CHUNK) != digest.sha256:
            raise ValueError("the raw connection lost bytes")

    sides = {"raw": raw, "ours": lambda: asyncio.run(_pushed([address], path, digest))}
    order = list(sides) if index % 2 == 0 else list(reversed(sides))
    row = {name: _timed(sides[name])[0] for name in order}
    _forget(folder / "state")
    return row


def _fanned(rows: Rows, count: int) -> Row:
    key = {"benchmark": "fan", "agents": count, "megabytes": _FANNED_MEGABYTES}

    def measure() -> Row:
        say(f"one file to {count} agents")
        with _scratch(Path(tempfile.gettempdir())) as folder:
            fleet = AgentFleet(folder)
            try:
                addresses = [agent.address for agent in fleet.grow(count)]
                path, digest = _random_file(folder, _FANNED_MEGABYTES)
                taken, cpu = _timed(lambda: asyncio.run(_pushed(addresses, path, digest)))
            finally:
                fleet.stop()
        return {"seconds": taken, "cpu": cpu}

    return rows.once(key, measure)


async def _pushed(addresses: Sequence[str], path: Path, digest: Digest) -> None:
    async def one(address: str) -> None:
        async with AgentClient(address, address) as client:
            await push(client, [(path, digest)], 0, lambda path, size: None)

    await asyncio.gather(*map(one, addresses))


async def _until_quiet(address: str) -> None:
    """An agent that starts asks every runtime what it is, and answers when it knows."""
    async with AgentClient(address, address) as client:
        await client.device_info(deadline_s=120)


def _timed(action: Callable[[], object]) -> tuple[float, float]:
    """Seconds, and of this process's processor time."""
    began, used = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - began, time.process_time() - used


def _random_file(folder: Path, megabytes: int) -> tuple[Path, Digest]:
    path = folder / "pushed"
    with path.open("wb") as file:
        for _ in range(megabytes):
            file.write(os.urandom(1_000_000))
        file.flush()
        os.fsync(file.fileno())  # its own writing back is no part of what follows
    return path, digest_file(path)


def _forget(state: Path) -> None:
    """The next file is another one all the same; the disk need not hold them all."""
    for blob in (state / "artifacts" / "blobs").rglob("*-*"):
        blob.unlink()


@contextmanager
def _scratch(place: Path) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="tt-", dir=place))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _agent(state: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "trimtab_agent", "serve", "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(
        [*command, "--state", str(state)], stderr=subprocess.PIPE, text=True, bufsize=1
    )
    assert process.stderr is not None  # noqa: S101
    try:
        for line in process.stderr:
            if _READY in line:
                address = line.strip().partition(_READY)[2]
                asyncio.run(_until_quiet(address))
                yield address
                return
        raise RuntimeError("the agent did not start")
    finally:
        process.terminate()
        process.communicate()


def judge(ratio: Ratio | None) -> Verdict:
    if ratio is None:
        return Verdict("not resolved: one pair has no interval")
    if ratio.high < BOUND:
        return Verdict(f"BELOW {BOUND}", off=True)
    return Verdict(f"at least {BOUND}" if ratio.low >= BOUND else "not resolved")


def _print(taken: dict[str, list[Row]]) -> list[Verdict]:
    lines: list[Sequence[str]] = []
    verdicts: list[Verdict] = []
    for place, rows in taken.items():
        ratio = ratio_of([row["raw"] / row["ours"] for row in rows])
        verdicts.append(judge(ratio))
        speeds = (
            f"{MEGABYTES / median(row[side] for row in rows):.0f}" for side in ("raw", "ours")
        )
        lines.append((f"{MEGABYTES} MB, {place}", *speeds, str(ratio), verdicts[-1].text))
    title = f"ours / raw, {PAIRS} pairs [95 %]"
    print_table(("file and where", "raw, MB/s", "push, MB/s", title, "verdict"), lines)
    return verdicts


def _print_fanned(rows: Sequence[Row]) -> None:
    lines = [
        (
            str(row["agents"]),
            f"{row['seconds']:.2f} s",
            f"{row['agents'] * _FANNED_MEGABYTES / row['seconds']:.0f}",
            f"{row['cpu']:.2f} s",
            f"{1e3 * row['cpu'] / row['agents'] / _FANNED_MEGABYTES:.2f} ms",
        )
        for row in rows
    ]
    columns = ("agents", f"{_FANNED_MEGABYTES} MB to each", "MB/s together", "host CPU", "per MB")
    print_table(columns, lines)


if __name__ == "__main__":
    raise SystemExit(main())
