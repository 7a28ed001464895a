"""Whether the kernel killed a process because memory ran out, and under which limit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trimtab_agent.worker.isolation.group_place import AGENTS_OWN

_ROOT = Path("/")
_COUNTER = "oom_kill"
# Without a limit, version 1 shows the largest multiple of a page that fits in 63 bits.
_NO_LIMIT = 1 << 62


@dataclass(frozen=True)
class KernelKills:
    """Processes killed for want of memory so far; None: the kernel does not tell.

    ``group``: in the control group of this process, which its children are in. ``system``: on the
    whole device.
    """

    group: int | None
    system: int | None


def count_kills(root: Path = _ROOT) -> KernelKills:
    counts = (
        _counter(folder / name)
        for folder in _memory_groups(root)
        for name in ("memory.events", "memory.oom_control")
    )
    group = next((count for count in counts if count is not None), None)
    return KernelKills(group, _counter(root / "proc/vmstat"))


def killed_for_memory(before: KernelKills, now: KernelKills) -> bool | None:
    """None: it cannot be told."""
    known = [
        after > earlier
        for earlier, after in ((before.group, now.group), (before.system, now.system))
        if earlier is not None and after is not None
    ]
    return known[0] if known else None


def group_limit_bytes(root: Path = _ROOT) -> int | None:
    """The tightest limit of this process's control group and those around it; None: no limit."""
    limits = [
        limit
        for folder in _memory_groups(root)
        for name in ("memory.max", "memory.limit_in_bytes")
        if (limit := _number(folder / name)) is not None and limit < _NO_LIMIT
    ]
    return min(limits, default=None)


def _memory_groups(root: Path) -> Iterator[Path]:
    """This process's group first, then those around it, in either version's hierarchy.

    In a container the path may be that of the host, and only the mounted root is there.
    """
    mount = root / "sys/fs/cgroup"
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        top = mount / "memory" if controllers else mount
        own = top / path.lstrip("/")
        for folder in (own, *own.parents):
            # Workers' groups are beside the agent's own, and count in the one above.
            if folder.is_dir() and folder.name != AGENTS_OWN:
                yield folder
            if folder == top:
                break


def _counter(file: Path) -> int | None:
    for line in _lines(file):
        name, _, value = line.partition(" ")
        if name == _COUNTER and value.isdecimal():
            return int(value)
    return None


def _number(file: Path) -> int | None:
    text = "".join(_lines(file))
    return int(text) if text.isdecimal() else None


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except OSError:
        return []
