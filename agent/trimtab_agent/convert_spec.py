"""What a host asks for, checked: a job's specification from protobuf to records and back.

Every refusal names the field as it stands in ``BenchmarkSpec``: ``arms[0].files[1].name``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from trimtab_protos.digest import Digest
from trimtab_protos.errors import DigestInvalid, NotServed, SpecInvalid
from trimtab_protos.v1 import artifact_pb2, benchmark_pb2

from trimtab_agent.convert_policy import policy_from_message, policy_to_message
from trimtab_agent.convert_scenario import batch_size, rate_hz, set_scenario, sustain_ns
from trimtab_agent.convert_schedule import blocks_from_message, set_schedule, support_only
from trimtab_agent.records import Arm, EvaluationSpec, FileRef, JobSpec, Reduction
from trimtab_agent.spec_counts import MAX_REPEATS, check_counts, check_processes

MAX_THREADS = 1024
MAX_TEXT_LENGTH = 256
_MAX_FILE_NAME_BYTES = 255

_Evaluation = benchmark_pb2.Evaluation
_REDUCTIONS: Mapping[int, Reduction] = {
    _Evaluation.REDUCTION_NONE: "none",
    _Evaluation.REDUCTION_ARGMAX: "argmax",
}


def digest_from_message(message: artifact_pb2.Digest) -> Digest:
    """Raises DigestInvalid."""
    try:
        return Digest(message.sha256, message.size_bytes)
    except ValueError as error:
        raise DigestInvalid(str(error)) from error


def digest_to_message(digest: Digest) -> artifact_pb2.Digest:
    return artifact_pb2.Digest(sha256=digest.sha256, size_bytes=digest.size_bytes)


def spec_from_message(message: benchmark_pb2.BenchmarkSpec) -> JobSpec:
    """Raises SpecInvalid with the field, or NotServed for what this release does not do."""
    _refuse_unserved(message)
    check_counts(message)
    arms = tuple(_arm(arm, f"arms[{index}]") for index, arm in enumerate(message.arms))
    _check_unique((arm.name for arm in arms), "arms", "arm name")
    return JobSpec(
        arms=arms,
        repeat_count=_repeat_count(message),
        policy=policy_from_message(message.policy),
        inputs=_digest(message.inputs, "inputs") if message.HasField("inputs") else None,
        input_seed=_input_seed(message.input_seed),
        evaluation=_evaluation(message.evaluation) if message.HasField("evaluation") else None,
        batch_size=batch_size(message),
        rate_hz=rate_hz(message),
        profile_operators=message.profile_operators,
        blocks=blocks_from_message(message),
        support_only=support_only(message),
        sustain_ns=sustain_ns(message),
    )


def spec_to_message(spec: JobSpec) -> benchmark_pb2.BenchmarkSpec:
    message = benchmark_pb2.BenchmarkSpec(
        arms=[_arm_message(arm) for arm in spec.arms],
        policy=policy_to_message(spec.policy),
        input_seed=spec.input_seed,
        profile_operators=spec.profile_operators,
    )
    set_scenario(message, spec)
    set_schedule(message, spec)
    if spec.inputs is not None:
        message.inputs.CopyFrom(digest_to_message(spec.inputs))
    if spec.evaluation is not None:
        numbers = {name: number for number, name in _REDUCTIONS.items()}
        message.evaluation.inputs.CopyFrom(digest_to_message(spec.evaluation.inputs))
        message.evaluation.reduction = numbers[spec.evaluation.reduction]  # type: ignore[assignment]
    return message


def check_text(text: str, field: str) -> str:
    """Raises SpecInvalid where it is empty, too long, or would garble a terminal."""
    if not text:
        raise _invalid(field, "is missing")
    if len(text) > MAX_TEXT_LENGTH or not text.isprintable():
        raise _invalid(field, f"must be at most {MAX_TEXT_LENGTH} printable characters")
    return text


def _refuse_unserved(message: benchmark_pb2.BenchmarkSpec) -> None:
    unserved = {
        "a choice of sensors": bool(message.sensors),
        "the top-5 reduction": message.evaluation.reduction == _Evaluation.REDUCTION_TOP5,
    }
    for what, asked in unserved.items():
        if asked:
            raise NotServed(f"this agent does not serve {what} yet")


def _repeat_count(message: benchmark_pb2.BenchmarkSpec) -> int:
    schedule = message.WhichOneof("schedule")
    if schedule is None:
        raise _invalid("schedule", "is missing: set round_robin, interleaved or support_check")
    if message.WhichOneof("scenario") is None:
        raise _invalid("scenario", "is missing: set single_stream")
    if schedule == "support_check":
        return 1
    count = getattr(message, schedule).repeat_count
    _check_range(count, 1, MAX_REPEATS, f"{schedule}.repeat_count")
    check_processes(len(message.arms), count)
    return int(count)


def _input_seed(seed: int) -> int:
    if seed < 0:
        raise _invalid("input_seed", f"must not be negative, was {seed}")
    return seed


def _arm(message: benchmark_pb2.Arm, field: str) -> Arm:
    files = tuple(
        FileRef(
            _file_name(file.name, f"{field}.files[{index}].name"),
            _digest(file.digest, f"{field}.files[{index}].digest"),
        )
        for index, file in enumerate(message.files)
    )
    _check_unique((file.name for file in files), f"{field}.files", "file name")
    threads = message.thread_count
    return Arm(
        name=check_text(message.name, f"{field}.name"),
        files=files,
        runtime=check_text(message.runtime, f"{field}.runtime"),
        accelerator=check_text(message.accelerator, f"{field}.accelerator"),
        thread_count=_check_range(threads, 1, MAX_THREADS, f"{field}.thread_count"),
        format=check_text(message.format, f"{field}.format"),
        runtime_options=_options(message.runtime_options, f"{field}.runtime_options"),
        input_shapes=_input_shapes(message.input_shapes, f"{field}.input_shapes"),
        cpu_affinity=_cpu_affinity(message.cpu_affinity, f"{field}.cpu_affinity"),
    )


def _cpu_affinity(cpus: Iterable[int], field: str) -> tuple[int, ...]:
    found = tuple(cpus)
    if len(set(found)) != len(found) or any(not 0 <= cpu < MAX_THREADS for cpu in found):
        raise _invalid(field, f"must be processors, each once, were {list(found)[:16]}")
    return found


def _file_name(name: str, field: str) -> str:
    if not name:
        raise _invalid(field, "is missing")
    if name in (".", "..") or "/" in name or "\\" in name:
        raise _invalid(field, f"must be a bare file name, not a path: {name[:80]!r}")
    if not name.isprintable() or len(name.encode()) > _MAX_FILE_NAME_BYTES:
        raise _invalid(field, f"must be at most {_MAX_FILE_NAME_BYTES} printable bytes")
    return name


def _digest(message: artifact_pb2.Digest, field: str) -> Digest:
    try:
        return Digest(message.sha256, message.size_bytes)
    except ValueError as error:
        raise _invalid(field, str(error)) from error


def _options(options: Mapping[str, str], field: str) -> dict[str, str]:
    return {
        check_text(key, field): check_text(value, f"{field}[{key!r}]")
        for key, value in sorted(options.items())
    }


def _input_shapes(
    shapes: Iterable[benchmark_pb2.InputShape], field: str
) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for index, shape in enumerate(shapes):
        name = check_text(shape.name, f"{field}[{index}].name")
        if name in found:
            raise _invalid(field, f"the input {name!r} stands there twice")
        if any(size < 1 for size in shape.dimensions):
            sizes = list(shape.dimensions)
            raise _invalid(f"{field}[{index}].dimensions", f"must be 1 or more each, were {sizes}")
        found[name] = tuple(shape.dimensions)
    return found


def _evaluation(message: benchmark_pb2.Evaluation) -> EvaluationSpec:
    reduction = _REDUCTIONS.get(message.reduction)
    if reduction is None:
        raise _invalid("evaluation.reduction", "is missing: set REDUCTION_NONE or REDUCTION_ARGMAX")
    return EvaluationSpec(_digest(message.inputs, "evaluation.inputs"), reduction)


def _check_range(value: int, least: int, most: int, field: str, what: str = "the value") -> int:
    if not least <= value <= most:
        raise _invalid(field, f"{what} must be from {least} to {most}, was {value}")
    return value


def _check_unique(names: Iterable[str], field: str, what: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise _invalid(field, f"the {what} {name!r} stands there twice")
        seen.add(name)


def _invalid(field: str, what: str) -> SpecInvalid:
    return SpecInvalid(f"{field}: {what}", field=field)


def _arm_message(arm: Arm) -> benchmark_pb2.Arm:
    return benchmark_pb2.Arm(
        name=arm.name,
        files=[
            benchmark_pb2.ArtifactFile(name=file.name, digest=digest_to_message(file.digest))
            for file in arm.files
        ],
        runtime=arm.runtime,
        accelerator=arm.accelerator,
        thread_count=arm.thread_count,
        runtime_options=arm.runtime_options,
        format=arm.format,
        input_shapes=[
            benchmark_pb2.InputShape(name=name, dimensions=dimensions)
            for name, dimensions in arm.input_shapes.items()
        ],
        cpu_affinity=arm.cpu_affinity,
    )
