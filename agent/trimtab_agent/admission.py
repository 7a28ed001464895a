"""Whether this device can run a job at all; asked before the job is made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from trimtab_protos.digest import Digest
from trimtab_protos.errors import JobArtifactMissing, RuntimeUnavailable, SpecInvalid

from trimtab_agent.artifacts import ArtifactStore
from trimtab_agent.cpus import allowed_cpus
from trimtab_agent.records import Arm, JobSpec, RuntimeInfo
from trimtab_agent.runtimes.base import RuntimeMissing
from trimtab_agent.runtimes.options import Whole
from trimtab_agent.runtimes.registry import create_runtime


def check_admission(
    spec: JobSpec, runtimes: Sequence[RuntimeInfo], artifacts: ArtifactStore
) -> None:
    """Raises RuntimeUnavailable, SpecInvalid with the field, or JobArtifactMissing."""
    for index, arm in enumerate(spec.arms):
        _check_arm(arm, f"arms[{index}]", runtimes)
    wanted = inputs_of(spec)
    missing = artifacts.missing(wanted)
    if missing:
        names = ", ".join(f"{wanted[digest]} {digest}" for digest in missing)
        raise JobArtifactMissing(
            f"the device lacks {names}", missing=",".join(digest.sha256 for digest in missing)
        )


def inputs_of(spec: JobSpec) -> dict[Digest, str]:
    """The files that a job works with, by what each is to it."""
    return dict(_wanted(spec))


def _check_arm(arm: Arm, field: str, runtimes: Sequence[RuntimeInfo]) -> None:
    info = next((info for info in runtimes if info.name == arm.runtime), None)
    if info is None:
        known = ", ".join(info.name for info in runtimes)
        raise RuntimeUnavailable(
            f"this agent knows no runtime {arm.runtime!r}; it has {known}", runtime=arm.runtime
        )
    if info.unavailable_reason:
        raise RuntimeUnavailable(
            f"{arm.runtime} is unavailable: {info.unavailable_reason}", runtime=arm.runtime
        )
    if info.model_formats:
        _check_choice(arm.format, info.model_formats, f"{field}.format", arm.runtime)
    absent = info.absent_accelerators.get(arm.accelerator)
    if absent is not None:
        name = f"{field}.accelerator"
        raise SpecInvalid(f"{name}: {arm.accelerator} cannot be used here: {absent}", field=name)
    _check_choice(arm.accelerator, info.accelerators, f"{field}.accelerator", arm.runtime)
    _check_options(arm, field)
    _check_affinity(arm, f"{field}.cpu_affinity")


def _check_affinity(arm: Arm, field: str) -> None:
    if not arm.cpu_affinity:
        return
    there = allowed_cpus()
    missing = [cpu for cpu in arm.cpu_affinity if cpu not in there]
    if missing:
        has = ", ".join(str(cpu) for cpu in sorted(there)) or "no way to bind a process to any"
        raise SpecInvalid(
            f"{field}: processor {missing[0]} is not there to be used; this device has {has}",
            field=field,
        )


def _check_options(arm: Arm, field: str) -> None:
    if not arm.runtime_options:
        return
    try:
        allowed = create_runtime(arm.runtime).options_for(arm.accelerator)
    except RuntimeMissing as error:
        raise RuntimeUnavailable(str(error), runtime=arm.runtime) from error
    for key, value in arm.runtime_options.items():
        _check_choice(key, allowed, f"{field}.runtime_options", arm.runtime)
        _check_choice(value, allowed[key], f"{field}.runtime_options[{key!r}]", arm.runtime)


def _check_choice(value: str, allowed: Iterable[str] | Whole, field: str, runtime: str) -> None:
    if value not in allowed:
        known = str(allowed) if isinstance(allowed, Whole) else ", ".join(allowed) or "none"
        raise SpecInvalid(
            f"{field}: {value!r} is nothing that {runtime} takes here; it takes {known}",
            field=field,
        )


def _wanted(spec: JobSpec) -> Iterable[tuple[Digest, str]]:
    for arm in spec.arms:
        for file in arm.files:
            yield file.digest, file.name
    if spec.inputs is not None:
        yield spec.inputs, "inputs"
    if spec.evaluation is not None:
        yield spec.evaluation.inputs, "evaluation.inputs"
