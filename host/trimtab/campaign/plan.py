"""Which arms a device is given: every candidate in every runtime and setting that was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from trimtab.fleet.jobs import ArmRequest, DeviceInfo
from trimtab.records import Artifact, MeasurementSettings, ModelFacts

# What reads a format where the user names no runtime; the first that the device has is taken.
PREFERRED_RUNTIMES: dict[str, tuple[str, ...]] = {
    "onnx": ("onnxruntime", "openvino"),
    "tflite": ("litert", "openvino"),
    "pte": ("executorch",),
    "pt2": ("torch",),
    "torchscript": ("torch",),
    "openvino": ("openvino",),
}


@dataclass(frozen=True)
class Candidate:
    """``variant`` is None for a file that was named on the command line.

    A reference is run once, in whatever reads it, whichever runtimes and threads were asked for.
    """

    artifact: Artifact
    variant: str | None = None
    is_reference: bool = False
    facts: ModelFacts | None = None

    @property
    def label(self) -> str:
        return f"{self.variant}.{self.artifact.format}" if self.variant else self.artifact.name


@dataclass(frozen=True)
class Choices:
    """``runtimes`` empty: the preferred one for each format. ``base`` holds everything else.

    ``or_preferred``: a format that none of ``runtimes`` reads is run by the preferred one for it,
    instead of failing with the reason. ``first_only``: one runtime alone is wanted.
    """

    base: MeasurementSettings
    runtimes: tuple[str, ...] = ()
    or_preferred: bool = False
    threads: tuple[int, ...] = (1,)
    first_only: bool = False


def plan_arms(
    candidates: Sequence[Candidate], choices: Choices, info: DeviceInfo | None
) -> list[ArmRequest]:
    """Without ``info`` (an unreachable device) the same arms, as far as they can be known."""
    arms: list[ArmRequest] = []
    for candidate in candidates:
        asked = () if candidate.is_reference else choices.runtimes
        runtimes = _runtimes(candidate.artifact.format, asked, choices.or_preferred, info)
        runtimes = runtimes[:1] if choices.first_only else runtimes
        for runtime in runtimes:
            for threads in choices.threads[:1] if candidate.is_reference else choices.threads:
                name = candidate.label
                name += f" {runtime}" if len(runtimes) > 1 else ""
                name += f" {threads}t" if len(choices.threads) > 1 else ""
                settings = replace(
                    choices.base,
                    runtime=runtime,
                    threads=threads,
                    runtime_options=_options_for(runtime, choices.base.runtime_options),
                )
                unique = _unique(name, arms)
                arms.append(ArmRequest(unique, candidate.artifact, settings, candidate.variant))
    return arms


def _options_for(runtime: str, options: Mapping[str, str]) -> dict[str, str]:
    """``litert.xnnpack`` is for litert alone; a key without a runtime's name is for every one."""
    split = [(*key.rpartition("."), value) for key, value in options.items()]
    return {key: value for owner, _, key, value in split if owner in ("", runtime)}


def _runtimes(
    artifact_format: str, asked: tuple[str, ...], or_preferred: bool, info: DeviceInfo | None
) -> tuple[str, ...]:
    fitting = tuple(name for name in asked if _reads(name, artifact_format, info))
    if fitting:
        return fitting
    if asked and not or_preferred:
        return asked[:1]  # that arm then fails, with the runtime's own reason
    preferred = PREFERRED_RUNTIMES.get(artifact_format, ())
    runtimes = info.runtimes if info else ()
    usable = {runtime.name for runtime in runtimes if not runtime.unavailable_reason}
    found = next((name for name in preferred if name in usable), None)
    # An arm of a runtime that cannot run it fails, with the reason.
    return (found or next(iter((*asked, *preferred)), artifact_format),)


def _reads(runtime: str, artifact_format: str, info: DeviceInfo | None) -> bool:
    if info is None:
        return True
    known = next((each for each in info.runtimes if each.name == runtime), None)
    # No formats: it takes any file (the null runtime).
    return known is None or not known.formats or artifact_format in known.formats


def _unique(name: str, arms: list[ArmRequest]) -> str:
    taken = {arm.name for arm in arms}
    number = 2
    unique = name
    while unique in taken:
        unique = f"{name} ({number})"
        number += 1
    return unique
