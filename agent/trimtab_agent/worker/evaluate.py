"""The accuracy pass: every sample through the real runtime, outputs back as a file."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab_agent.runtimes.base import ModelRefused, Session, TensorSpec
from trimtab_agent.worker.channel import Channel
from trimtab_agent.worker.conversion import to_real, to_tensor
from trimtab_agent.worker.inputs import batch_size, check_samples, match_arrays, read_arrays
from trimtab_agent.worker.loading import import_runtime, load_session, loaded_fields
from trimtab_agent.worker.messages import WorkerTask

Array = NDArray[Any]
Pairs = Sequence[tuple[TensorSpec, Array]]


def evaluate(task: WorkerTask, channel: Channel) -> None:
    """Raises WorkerError where inputs do not suit the model."""
    channel.send("phase", phase="evaluate")
    runtime, info = import_runtime(task)
    session, load_ns = load_session(runtime, task)
    channel.send("loaded", **loaded_fields(session, info, load_ns))
    arrays = read_arrays(Path(task.evaluation_inputs_path))
    pairs = match_arrays(arrays, session.inputs)
    check_samples(pairs, task.input_shapes)
    count = _sample_count(pairs)
    size = batch_size(session.inputs, task.input_shapes)
    outputs = _run_all(session, pairs, (count, size), task.reduction)
    session.close()
    write_arrays(Path(task.outputs_path), outputs)
    channel.send("evaluated", sample_count=count)


def write_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """An .npz, there only when it is whole; unlike numpy.savez it takes any tensor name."""
    temporary = path.with_name(path.name + ".part")
    with temporary.open("wb") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(
                        member, np.ascontiguousarray(array), allow_pickle=False
                    )
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _sample_count(pairs: Pairs) -> int:
    counts = {spec.name: len(array) for spec, array in pairs if array.ndim}
    if len(set(counts.values())) != 1 or 0 in counts.values():
        listed = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise ModelRefused(f"the evaluation inputs need one common number of samples: {listed}")
    return next(iter(counts.values()))


def _run_all(
    session: Session, pairs: Pairs, count_and_batch: tuple[int, int], reduction: str
) -> dict[str, Array]:
    count, size = count_and_batch
    collected: dict[str, list[Array]] = {spec.name: [] for spec in session.outputs}
    for begin in range(0, count, size):
        used = min(size, count - begin)
        session.bind({spec.name: _batch(array, begin, size, spec) for spec, array in pairs})
        session.run()
        values = session.output_values()
        for spec in session.outputs:
            real = _by_sample(to_real(values[spec.name], spec), size, spec.name)[:used]
            collected[spec.name].append(_reduced(real, reduction, spec.name))
    return {name: _joined(parts, name) for name, parts in collected.items()}


def _batch(array: Array, begin: int, size: int, spec: TensorSpec) -> Array:
    """The last batch is filled up with its last sample; those outputs are cut off again."""
    if not array.ndim:
        return to_tensor(array, spec)
    part = array[begin : begin + size]
    missing = size - len(part)
    if missing:
        part = np.concatenate([part, np.repeat(part[-1:], missing, axis=0)])
    return to_tensor(part, spec)


def _by_sample(output: Array, size: int, name: str) -> Array:
    if output.ndim and len(output) == size:
        return output
    if size == 1:
        return output[np.newaxis]
    raise ModelRefused(
        f"output {name!r} has shape {list(output.shape)} for a batch of {size}: "
        "it cannot be split into samples"
    )


def _reduced(output: Array, reduction: str, name: str) -> Array:
    if reduction == "none":
        return output
    if reduction != "argmax":
        raise ModelRefused(f"unknown reduction {reduction!r}; served: none, argmax")
    if output.ndim < 2:
        raise ModelRefused(f"output {name!r} is one number a sample: nothing to take an argmax of")
    best: Array = np.argmax(output, axis=-1)
    return best.astype(np.int64)


def _joined(parts: list[Array], name: str) -> Array:
    try:
        return np.concatenate(parts)
    except ValueError as error:
        raise ModelRefused(
            f"output {name!r} changes its shape from sample to sample: it cannot be stacked"
        ) from error
