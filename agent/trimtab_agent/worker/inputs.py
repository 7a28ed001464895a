"""Arrays for a model's inputs: from an .npz, or random from a seed. Layouts are never guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab_agent.runtimes.base import ModelRefused, TensorSpec, WorkerError
from trimtab_agent.worker.conversion import to_tensor

Array = NDArray[Any]


def read_arrays(path: Path) -> dict[str, Array]:
    """Raises ModelRefused where the file is no .npz, or holds pickled objects."""
    try:
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                raise ModelRefused("the inputs are one bare array: save them with numpy.savez")
            arrays = {name: loaded[name] for name in loaded.files}
    except (WorkerError, MemoryError):
        raise
    except Exception as error:  # zipfile, zlib, header parsing: numpy raises what it meets
        raise ModelRefused(f"the inputs are not a readable .npz: {_why(error)}") from error
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):  # numpy gives other members as their bytes
            raise ModelRefused(f"the inputs are not a readable .npz: {name!r} in it is no array")
    return arrays


def _why(error: Exception) -> str:
    """Without numpy's advice to load it all the same."""
    if "pickle" in str(error):
        return (
            "it holds pickled objects, which can run code when they are read and are never loaded "
            "here: save arrays of numbers with numpy.savez"
        )
    return str(error)


def match_arrays(
    arrays: Mapping[str, Array], inputs: Sequence[TensorSpec]
) -> list[tuple[TensorSpec, Array]]:
    """Pair arrays with inputs: by name where all names match, else by order, else ModelRefused."""
    names = [spec.name for spec in inputs]
    if all(name in arrays for name in names):
        return [(spec, arrays[spec.name]) for spec in inputs]
    if len(arrays) == len(inputs):
        return list(zip(inputs, arrays.values(), strict=True))
    raise ModelRefused(
        f"the inputs file holds {', '.join(arrays) or 'nothing'}; "
        f"the model wants {', '.join(names)}"
    )


def check_shapes(inputs: Sequence[TensorSpec], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise ModelRefused where a given shape names no input or contradicts the file."""
    known = {spec.name: spec.info.dimensions for spec in inputs}
    for name, shape in shapes.items():
        if name not in known:
            raise ModelRefused(f"no input {name!r}; the model has {', '.join(known)}")
        if not _fits(shape, known[name]):
            count = len(known[name])
            advice = "export the model with that shape"
            if len(shape) != count:
                advice = f"give {count} size{'s' if count != 1 else ''}"
            raise ModelRefused(
                f"input {name!r} is {shape_text(known[name])} in the file, "
                f"the shape given is {shape_text(shape)}: {advice}"
            )


def shapes_of_one_run(
    inputs: Sequence[TensorSpec], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, tuple[int, ...]]:
    """The shapes without data: as given, as in the file, or with an open first axis set to 1.

    Raises ModelRefused where others are open too, with the names of all such inputs.
    """
    known = {spec.name: shapes.get(spec.name, spec.info.dimensions) for spec in inputs}
    still_open = {name: shape for name, shape in known.items() if -1 in shape[1:]}
    if still_open:
        listed = ", ".join(f"{name} {shape_text(shape)}" for name, shape in still_open.items())
        options = " ".join(f"--shape {name}={_form(shape)}" for name, shape in still_open.items())
        raise ModelRefused(
            f"inputs with open dimensions: {listed}: give {options}, a number for each N"
        )
    return {name: tuple(map(_at_least_1, shape)) for name, shape in known.items()}


def batch_size(inputs: Sequence[TensorSpec], shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Samples a run: the first axis of every input with axes; an open one is 1 unless given."""
    sizes = {
        spec.name: max(shapes.get(spec.name, spec.info.dimensions)[0], 1)
        for spec in inputs
        if spec.info.dimensions
    }
    if len(set(sizes.values())) > 1:
        raise ModelRefused(
            "the inputs differ in their first axis, so there is no batch: "
            + ", ".join(f"{name} {size}" for name, size in sizes.items())
        )
    return next(iter(sizes.values()), 1)


def first_batch(
    arrays: Mapping[str, Array],
    inputs: Sequence[TensorSpec],
    shapes: Mapping[str, tuple[int, ...]],
) -> dict[str, Array]:
    """One run's inputs from the first samples of an .npz."""
    pairs = match_arrays(arrays, inputs)
    if all(array.shape == shapes.get(spec.name, spec.info.dimensions) for spec, array in pairs):
        return {spec.name: to_tensor(array, spec) for spec, array in pairs}
    size = batch_size(inputs, shapes)
    check_samples(pairs, shapes)
    for spec, array in pairs:
        if array.ndim and len(array) < size:
            raise ModelRefused(
                f"input {spec.name!r} has {len(array)} samples, a batch of the model is {size}"
            )
    return {
        spec.name: to_tensor(array[:size] if array.ndim else array, spec) for spec, array in pairs
    }


def check_samples(
    pairs: Sequence[tuple[TensorSpec, Array]], shapes: Mapping[str, tuple[int, ...]]
) -> None:
    """Raise ModelRefused where an array's sample shape is not the input's."""
    for spec, array in pairs:
        wanted = shapes.get(spec.name, spec.info.dimensions)
        if array.ndim != len(wanted) or not _fits(array.shape[1:], wanted[1:]):
            samples = ("N", *map(_size_text, wanted[1:])) if wanted else ()
            raise ModelRefused(
                f"input {spec.name!r} wants samples of shape {'x'.join(samples) or 'scalar'} "
                f"(N of them), the file holds {shape_text(array.shape)}: "
                "reshape or transpose the array to the model's own layout"
            )


def random_inputs(
    inputs: Sequence[TensorSpec], shapes: Mapping[str, tuple[int, ...]], seed: int
) -> dict[str, Array]:
    """Floats uniform in [0, 1), 8-bit integers over their whole range, other integers 0 or 1.

    Wider integers are mostly indices (tokens), for which 0 and 1 are in any vocabulary.
    """
    known = shapes_of_one_run(inputs, shapes)
    generator = np.random.default_rng(seed)
    return {
        spec.name: _random(generator, known[spec.name], np.dtype(spec.info.dtype))
        for spec in inputs
    }


def _random(generator: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    if dtype.kind == "f":
        return generator.random(shape).astype(dtype)
    if dtype.kind in "iu" and dtype.itemsize == 1:
        bounds = np.iinfo(dtype)
        return generator.integers(bounds.min, bounds.max, shape, dtype=dtype, endpoint=True)
    return generator.integers(0, 2, shape).astype(dtype)


def _fits(shape: tuple[int, ...], dimensions: tuple[int, ...]) -> bool:
    return len(shape) == len(dimensions) and all(
        dimension in (-1, size) for size, dimension in zip(shape, dimensions, strict=True)
    )


def shape_text(shape: Sequence[int]) -> str:
    """ "1x3x?": an open dimension is a question mark."""
    return "x".join(map(_size_text, shape)) or "scalar"


def _form(shape: Sequence[int]) -> str:
    """ "1x3xN": what is to be filled in, one sample."""
    first, *others = shape
    return "x".join(
        [str(_at_least_1(first)), *("N" if size == -1 else str(size) for size in others)]
    )


def _at_least_1(size: int) -> int:
    return 1 if size == -1 else size


def _size_text(size: int) -> str:
    return "?" if size == -1 else str(size)
