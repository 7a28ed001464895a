"""Blocks of the bare loop and of the worker's own loop in turns, over one session of one process.

What differs between processes (where their memory lies) is out of it: what is left is what the
worker's loop and its way of calling the runtime cost. Prints each pair's ratio of medians as JSON.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from trimtab_agent.measure import Limits, take_samples
from trimtab_agent.runtimes.base import Session
from trimtab_agent.worker.loading import import_runtime, load_session, prepare_inputs
from trimtab_agent.worker.messages import WorkerTask
from trimtab_agent.worker.timed import timed_call

from benchkit.by_hand import Call, warm_up_by_hand

_DISCARDED = 3  # first calls of a block, on both sides
_FEWEST = 8


def main(runtime: str, model: str, inputs: str, pair_count: str, block_ns: str) -> None:
    task = WorkerTask("repeat", runtime, model, Path(model).suffix[1:], inputs_path=inputs)
    session = _session(task)
    bare = _bare_call(session)
    count = max(_FEWEST, math.ceil(int(block_ns) / warm_up_by_hand(bare)))
    with timed_call(session, task) as ours:
        sides = (partial(_by_hand, bare, count), partial(_by_worker, ours, count))
        _in_turns(sides, 2)
        print(json.dumps({"pairs": _in_turns(sides, int(pair_count)), "block_count": count}))


def _in_turns(sides: tuple[Callable[[], float], ...], count: int) -> list[list[float]]:
    """A B B A ...: for each pair the medians of (bare, ours)."""
    pairs = []
    for index in range(count):
        order = (0, 1) if index % 2 == 0 else (1, 0)
        taken = {side: sides[side]() for side in order}
        pairs.append([taken[0], taken[1]])
    return pairs


def _by_hand(call: Call, count: int) -> float:
    clock = time.perf_counter_ns
    for _ in range(_DISCARDED):
        call()
    taken = []
    for _ in range(count):
        start = clock()
        call()
        taken.append(clock() - start)
    return median(taken)


def _by_worker(call: Call, count: int) -> float:
    """It discards its first calls by itself."""
    limits = Limits(count, 0, sys.maxsize)
    return median(take_samples(call, time.perf_counter_ns, limits, count).latency_ns)


def _session(task: WorkerTask) -> Session:
    runtime, _ = import_runtime(task)
    session, _ = load_session(runtime, task)
    session.bind(prepare_inputs(session, task))
    session.run()
    return session


def _bare_call(session: Any) -> Call:
    """The library's own object below our session, called as by hand."""
    if hasattr(session, "_interpreter"):
        invoke: Call = session._interpreter.invoke
        return invoke
    return partial(session._session.run_with_iobinding, session._binding)


if __name__ == "__main__":
    main(*sys.argv[1:])
