"""What a device cannot even try, known before anything is sent to it."""

from __future__ import annotations

from collections.abc import Sequence

from trimtab_protos.errors import Failure

from trimtab.fleet.collect import failed_arm
from trimtab.fleet.jobs import ArmRequest, DeviceInfo, RuntimeInfo
from trimtab.onnx_versions import too_new_for
from trimtab.records import RawArm


def split(
    arms: Sequence[ArmRequest], info: DeviceInfo
) -> tuple[tuple[ArmRequest, ...], list[tuple[ArmRequest, RawArm]]]:
    """Arms this device can try, and those whose runtime it does not have."""
    runtimes = {runtime.name: runtime for runtime in info.runtimes}
    runnable: list[ArmRequest] = []
    refused: list[tuple[ArmRequest, RawArm]] = []
    for arm in arms:
        failure = why_not(arm, runtimes.get(arm.settings.runtime))
        if failure is None:
            runnable.append(arm)
        else:
            refused.append((arm, failed_arm(arm, failure)))
    return tuple(runnable), refused


def why_not(arm: ArmRequest, runtime: RuntimeInfo | None) -> Failure | None:
    """Why this device cannot even try the arm; None where it can."""
    settings = arm.settings
    if runtime is None:
        return Failure("device", f"this device's agent knows no runtime {settings.runtime}")
    if runtime.unavailable_reason:
        return Failure("device", runtime.unavailable_reason)
    if runtime.formats and arm.artifact.format not in runtime.formats:
        reads = ", ".join(f".{name}" for name in runtime.formats)
        return Failure("model", f"{runtime.name} reads {reads}, not .{arm.artifact.format}")
    if settings.accelerator in runtime.absent_accelerators:
        missing = runtime.absent_accelerators[settings.accelerator]
        return Failure("device", f"{settings.accelerator} cannot be used here: {missing}")
    if settings.accelerator not in runtime.accelerators:
        has = ", ".join(runtime.accelerators)
        reason = f"{runtime.name} has no accelerator {settings.accelerator} here; it has {has}"
        return Failure("device", reason)
    return _too_new(arm, runtime)


def _too_new(arm: ArmRequest, runtime: RuntimeInfo) -> Failure | None:
    """Known before the file is sent; what it holds else is the runtime's to judge."""
    if (runtime.name, arm.artifact.format) != ("onnxruntime", "onnx"):
        return None
    reason = too_new_for(arm.artifact.files[0].path, runtime.version)
    return Failure("model", reason) if reason else None
