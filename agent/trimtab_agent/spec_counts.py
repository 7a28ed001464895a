"""How many of each thing a job may name, looked at before any of them is read."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab_protos.errors import SpecInvalid
from trimtab_protos.v1 import benchmark_pb2

MAX_ARMS = 256
MAX_FILES = 64
MAX_OPTIONS = 64
MAX_INPUT_SHAPES = 64
MAX_DIMENSIONS = 16
MAX_CPUS = 1024
MAX_REPEATS = 100
# Repeats of all arms: each is a process with its events in the journal.
MAX_PROCESSES = 10_000
# The agent keeps the specifications of a hundred jobs in memory; 1 kB an arm is ample.
MAX_SPEC_BYTES = 256 << 10


def check_counts(message: benchmark_pb2.BenchmarkSpec) -> None:
    """Raises SpecInvalid with the field."""
    _check(len(message.arms), 1, MAX_ARMS, "arms", "the number of arms")
    for index, arm in enumerate(message.arms):
        _check_arm(arm, f"arms[{index}]")
    if message.ByteSize() > MAX_SPEC_BYTES:
        text = f"spec: must have at most {MAX_SPEC_BYTES} bytes, has {message.ByteSize()}"
        raise SpecInvalid(text, field="spec")


def check_processes(arm_count: int, repeat_count: int) -> None:
    """Raises SpecInvalid."""
    what = "arms times repeats"
    _check(arm_count * repeat_count, 1, MAX_PROCESSES, "schedule.repeat_count", what)


def _check_arm(arm: benchmark_pb2.Arm, field: str) -> None:
    _check(len(arm.files), 1, MAX_FILES, f"{field}.files", "the number of files")
    for count, most, name, what in _optional(arm):
        _check(count, 0, most, f"{field}.{name}", f"the number of {what}")
    for index, shape in enumerate(arm.input_shapes):
        name = f"{field}.input_shapes[{index}].dimensions"
        _check(len(shape.dimensions), 0, MAX_DIMENSIONS, name, "the number of dimensions")


def _optional(arm: benchmark_pb2.Arm) -> Iterator[tuple[int, int, str, str]]:
    yield len(arm.runtime_options), MAX_OPTIONS, "runtime_options", "options"
    yield len(arm.input_shapes), MAX_INPUT_SHAPES, "input_shapes", "input shapes"
    yield len(arm.cpu_affinity), MAX_CPUS, "cpu_affinity", "processors"


def _check(count: int, least: int, most: int, field: str, what: str) -> None:
    if not least <= count <= most:
        text = f"{field}: {what} must be from {least} to {most}, was {count}"
        raise SpecInvalid(text, field=field)
