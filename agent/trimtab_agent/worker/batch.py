"""A batch size that was asked for, as the shapes of the inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trimtab_agent.runtimes.base import ModelRefused, TensorSpec
from trimtab_agent.worker.inputs import shape_text

Shapes = Mapping[str, tuple[int, ...]]


def shapes_for_batch(inputs: Sequence[TensorSpec], shapes: Shapes, size: int | None) -> Shapes:
    """``shapes`` and, with ``size`` given, those of the other inputs with that first dimension.

    Other open dimensions stay open. Raises ModelRefused where the file, or a shape given, fixes the
    first dimension to another size.
    """
    if size is None:
        return shapes
    return {spec.name: _shape(spec, shapes, size) for spec in inputs if spec.info.dimensions}


def _shape(spec: TensorSpec, shapes: Shapes, size: int) -> tuple[int, ...]:
    given, in_file = shapes.get(spec.name), spec.info.dimensions
    if given is not None and given[0] != size:
        raise ModelRefused(
            f"--shape {spec.name}={shape_text(given)} is a batch of {given[0]}, "
            f"the batch size asked for is {size}: give one of the two"
        )
    if in_file[0] not in (-1, size):
        raise ModelRefused(
            f"input {spec.name!r} is {shape_text(in_file)} in the file, its batch fixed at "
            f"{in_file[0]}: for a batch of {size} export the model with an open first dimension"
        )
    rest = given[1:] if given is not None else in_file[1:]
    return (size, *rest)
