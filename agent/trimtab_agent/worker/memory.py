"""The memory pass: a process of its own, so that reading memory costs the latency nothing."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from trimtab_agent.records import MemoryUse
from trimtab_agent.worker.channel import Channel
from trimtab_agent.worker.loading import import_runtime, load_session, prepare_inputs
from trimtab_agent.worker.messages import WorkerTask
from trimtab_agent.worker.resident import Resident, read_peak, read_resident, reset_peak

_INFERENCES = 10


def measure_memory(task: WorkerTask, channel: Channel) -> None:
    """Two peaks: while loading, and from then on over the first and ten more inferences."""
    channel.send("phase", phase="memory")
    runtime, _ = import_runtime(task)
    gc.collect()
    bare = read_resident()
    resets = reset_peak()
    session, _ = load_session(runtime, task)
    load_peak = _at_least(read_peak(), (read_resident(),)) if resets else None
    inputs = prepare_inputs(session, task)
    resets = reset_peak() and resets
    session.bind(inputs)
    seen = [read_resident()]
    for _ in range(1 + _INFERENCES):
        session.run()
        seen.append(read_resident())
    peak = _at_least(read_peak(), seen) if resets else None
    session.close()
    del session, inputs
    gc.collect()
    loaded, first = seen[0], seen[1]
    use = MemoryUse(
        runtime_bytes=bare.total,
        model_bytes=_more(first.total, bare.total),
        load_peak_bytes=load_peak,
        peak_bytes=peak,
        retained_bytes=_more(read_resident().total, bare.total),
        peak_file_backed_bytes=_most(each.file_backed for each in seen),
        loaded_bytes=loaded.total,
        model_file_backed_bytes=_more(first.file_backed, bare.file_backed),
    )
    channel.send("memory", **asdict(use))


def _at_least(peak: int | None, seen: Sequence[Resident]) -> int | None:
    """The kernel's peak may lag by the pages that its counters batch: no reading stands above."""
    return None if peak is None else _most((peak, *(each.total for each in seen)))


def _most(sizes: Iterable[int | None]) -> int | None:
    return max((size for size in sizes if size is not None), default=None)


def _more(now: int | None, before: int | None) -> int | None:
    """Growth; a process that shrank below its start grew by nothing."""
    return None if now is None or before is None else max(now - before, 0)
