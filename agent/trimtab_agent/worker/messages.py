"""What agent and worker say to each other.

The agent starts ``python -m trimtab_agent.worker TASK.json``; the file holds a :class:`WorkerTask`.
The worker answers with JSON lines on its standard output (which it keeps to itself: descriptor 1 is
pointed at standard error before any runtime is imported, so that a chatty library cannot garble
it). Each line has a ``kind``; the values stand in the functions below. The last line is ``done`` or
``failed``; a worker that ends without one of the two has crashed. Lines are written only between
phases, never in the timed loop.

Mode "blocks" is told what to do by JSON lines on its standard input, {block_index, duration_ns,
discard_count} each, until that is closed.

kinds and their fields:

- ``isolated``: in_force (list of str), missing ({part: why}); before anything else
- ``confined``: memory_limit_bytes, kept_limit_bytes (as in the task; 0: none)
- ``phase``: phase
- ``loaded``: load_ns, runtime_version, runtime_package, accelerator_used, inputs, outputs
  (lists of {name, dtype, dimensions}), warnings (list of str, the runtime's own, shortened), places
  ({where: {operator type: count}} as the runtime tells it, empty where it does not)
- ``first_inference``: duration_ns
- ``warmed_up``: count, duration_ns, fastest_ns, settled, spread (the last two null where steadiness
  was not asked for or could not be seen)
- ``measured``: sample_count, duration_ns (as the timed loop counted them, before any is sent),
  planned_count, plan_reason (what the pilot fixed, and which minimum or maximum decided); of a
  sustained load instead of the two: timed_every, inference_count (one in how many was timed)
- ``samples``: start_offset_ns, latency_ns (at most SAMPLES_PER_MESSAGE each, in order)
- ``window``: phase ("measure" or "idle"), begin_offset_ns, end_offset_ns, inference_count;
  of "measure" also busy_cores (processors that the worker kept busy, its pilot included)
- ``ready``: mode "blocks" waits for commands
- ``block``: block_index, sample_count (its ``samples``, with the same block_index, came before)
- ``io``: duration_ns (inputs copied in and outputs copied out, once)
- ``finite``: finite (bool: whether the outputs of the last timed inference held no NaN or infinity)
- ``memory``: the fields of MemoryUse (each an integer or null)
- ``periods``: rate_hz, taken, missed, latest_start_ns (only where there is a rate)
- ``profiled``: places ({where: {operator type: count}}), arena_bytes (null where the runtime does
  not tell); the profile stands in ``outputs_path``
- ``checked``: places, as in ``loaded`` or as a profile of the one run tells them; unavailable (why
  there are none)
- ``evaluated``: sample_count; the outputs stand in ``outputs_path``
- ``runtime``: runtime (a RuntimeInfo as dict), once each, the answer to mode "describe"
- ``failed``: failure_class, message
- ``done``
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

SAMPLES_PER_MESSAGE = 8192
Mode = Literal["repeat", "blocks", "memory", "evaluate", "profile", "check", "describe"]


@dataclass(frozen=True)
class WorkerTask:
    """``model_path`` is the model file, its external data beside it. Durations in nanoseconds.

    ``clock_origin_ns``: the job's start on ``time.perf_counter_ns`` (CLOCK_MONOTONIC, the same in
    every process of the machine); sample offsets count from it. ``describe`` needs only ``runtime``
    (empty: all of ours). ``batch_size`` None: as the file has it; ``rate_hz`` None: back to back;
    ``sustain_ns`` None: no sustained load. ``idle_ns``: how long to sleep before the warm-up and
    after the samples, for the idle power; 0: not at all. ``memory_limit_bytes``: of the data of
    each of its processes, as the job asks; ``kept_limit_bytes``: of what they all keep in memory,
    as the device's owner says; 0: any. ``cache_path``: the agent's folder for what runtimes
    compile; ``file_limit_bytes``: the most that one file may have, 0: any. What starts the worker
    fills in: ``work_path``, a folder of the worker's own to write in; ``task_group``, the file by
    which it enters its control group, or ``group_missing``, why there is none; the user that it
    becomes, with that one's groups, or ``user_missing``, why it stays who it is.
    """

    mode: Mode
    runtime: str = ""
    model_path: str = ""
    format: str = ""
    accelerator: str = "cpu"
    thread_count: int = 1
    runtime_options: Mapping[str, str] = field(default_factory=dict)
    input_shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    inputs_path: str | None = None
    input_seed: int = 0
    clock_origin_ns: int = 0
    min_duration_ns: int = 0
    max_duration_ns: int = 0
    min_sample_count: int = 0
    warmup_duration_ns: int = 0
    min_warmup_count: int = 0
    steady_tolerance: float = 0.0
    max_warmup_duration_ns: int = 0
    percentile_sample_count: int = 0
    target_precision: float = 0.0
    cpu_affinity: tuple[int, ...] = ()
    memory_limit_bytes: int = 0
    kept_limit_bytes: int = 0
    evaluation_inputs_path: str = ""
    reduction: str = "none"
    outputs_path: str = ""
    batch_size: int | None = None
    rate_hz: float | None = None
    sustain_ns: int | None = None
    idle_ns: int = 0
    allow_code_in_models: bool = False
    cache_path: str = ""
    file_limit_bytes: int = 8 << 30
    work_path: str = ""
    task_group: str = ""
    group_missing: str = ""
    user_name: str = ""
    user_id: int = 0
    group_id: int = 0
    group_ids: tuple[int, ...] = ()
    user_missing: str = ""

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> WorkerTask:
        values: dict[str, Any] = json.loads(text)
        values["input_shapes"] = {
            name: tuple(shape) for name, shape in values.get("input_shapes", {}).items()
        }
        for name in ("cpu_affinity", "group_ids"):
            values[name] = tuple(values.get(name, ()))
        return WorkerTask(**values)
