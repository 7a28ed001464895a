"""What every mode does first: the runtime, the model, the inputs of one run."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trimtab_agent.records import RuntimeInfo
from trimtab_agent.runtimes.base import (
    Runtime,
    RuntimeMissing,
    RuntimeOptions,
    Session,
    TensorSpec,
)
from trimtab_agent.runtimes.registry import create_runtime
from trimtab_agent.worker.batch import shapes_for_batch
from trimtab_agent.worker.channel import Channel
from trimtab_agent.worker.inputs import (
    check_shapes,
    first_batch,
    random_inputs,
    read_arrays,
)
from trimtab_agent.worker.messages import WorkerTask

_TELL_OPERATORS = ("profile", "check")


@dataclass(frozen=True)
class Started:
    """A session that has run once, and the inputs that are bound to it."""

    session: Session
    inputs: dict[str, Any]


def start_session(task: WorkerTask, channel: Channel) -> Started:
    """Load and first inference, each told as a phase of its own. Raises WorkerError."""
    channel.send("phase", phase="load")
    runtime, info = import_runtime(task)
    session, load_ns = load_session(runtime, task)
    channel.send("loaded", **loaded_fields(session, info, load_ns))
    inputs = prepare_inputs(session, task)
    channel.send("phase", phase="first_inference")
    session.bind(inputs)
    start = time.perf_counter_ns()
    session.run()
    channel.send("first_inference", duration_ns=time.perf_counter_ns() - start)
    return Started(session, inputs)


def import_runtime(task: WorkerTask) -> tuple[Runtime, RuntimeInfo]:
    """Raises RuntimeMissing where it cannot be used, ModelRefused for a file that is no data."""
    runtime = create_runtime(task.runtime)
    info = runtime.availability()
    if info.unavailable_reason:
        raise RuntimeMissing(info.unavailable_reason)
    runtime.import_library()
    runtime.check_file(Path(task.model_path), task.allow_code_in_models)
    return runtime, info


def load_session(runtime: Runtime, task: WorkerTask) -> tuple[Session, int]:
    """The session and how long loading took, in nanoseconds (the import is not in it)."""
    folder = Path(task.outputs_path).parent if task.mode in _TELL_OPERATORS else None
    options = RuntimeOptions(
        accelerator=task.accelerator,
        thread_count=task.thread_count,
        options=task.runtime_options,
        input_shapes=task.input_shapes,
        profile_folder=folder,
        cache_folder=Path(task.cache_path) if task.cache_path else None,
        tell_placement=task.mode == "check",
        allow_code=task.allow_code_in_models,
    )
    start = time.perf_counter_ns()
    session = runtime.load(Path(task.model_path), options)
    load_ns = time.perf_counter_ns() - start
    check_shapes(session.inputs, task.input_shapes)
    return session, load_ns


def prepare_inputs(session: Session, task: WorkerTask) -> dict[str, Any]:
    """One run's inputs: the first batch of the task's file, else random from its seed."""
    shapes = shapes_for_batch(session.inputs, task.input_shapes, task.batch_size)
    if task.inputs_path is None:
        return random_inputs(session.inputs, shapes, task.input_seed)
    return first_batch(read_arrays(Path(task.inputs_path)), session.inputs, shapes)


def loaded_fields(session: Session, info: RuntimeInfo, load_ns: int) -> dict[str, Any]:
    """The fields of the message ``loaded``."""
    return {
        "load_ns": load_ns,
        "runtime_version": info.version,
        "runtime_package": info.package,
        "accelerator_used": session.accelerator_used,
        "inputs": _infos(session.inputs),
        "outputs": _infos(session.outputs),
        "warnings": list(session.warnings),
        "places": session.placement(),
    }


def _infos(specs: tuple[TensorSpec, ...]) -> list[dict[str, Any]]:
    return [asdict(spec.info) for spec in specs]
