"""Records as plain data and back; raw samples as compressed 64-bit integers."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from trimtab_protos.digest import Digest
from trimtab_protos.errors import Failure

from trimtab.operator_profile import profile_from
from trimtab.records import (
    Artifact,
    ArtifactFile,
    Check,
    ClassAccuracy,
    CorruptedAccuracy,
    DevicePower,
    DeviceRef,
    Float64Array,
    Int64Array,
    LayerChoice,
    MeasurementSettings,
    Metric,
    ModelFacts,
    Origin,
    PowerModel,
    RawArm,
    RawRepeat,
    Result,
    Robustness,
    SensorInfo,
    SourceFile,
    StepData,
    TensorInfo,
    Variant,
    Window,
)

Plain = dict[str, Any]
_SAMPLE_TYPE = "<i8"
_READING_TYPE = "<f8"
_PLAIN_TYPES = frozenset({str, int, float, bool, type(None)})


def pack_samples(samples: Int64Array) -> bytes:
    return zlib.compress(np.asarray(samples, dtype=_SAMPLE_TYPE).tobytes())


def unpack_samples(blob: bytes) -> Int64Array:
    """Raises zlib.error or ValueError for anything that :func:`pack_samples` did not write."""
    return np.frombuffer(zlib.decompress(blob), dtype=_SAMPLE_TYPE).astype(np.int64)


def pack_readings(values: Float64Array) -> bytes:
    return zlib.compress(np.asarray(values, dtype=_READING_TYPE).tobytes())


def unpack_readings(blob: bytes) -> Float64Array:
    """Raises zlib.error or ValueError for anything that :func:`pack_readings` did not write."""
    return np.frombuffer(zlib.decompress(blob), dtype=_READING_TYPE).astype(np.float64)


def plain(value: Any) -> Any:
    """Dataclasses as dicts, tuples as lists, paths as strings, all the way down."""
    if type(value) in _PLAIN_TYPES:  # most of what there is
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, np.generic):
        return value.item()
    return value


def variant_from(document: Plain) -> Variant:
    artifact = document["artifact"]
    return Variant(
        name=document["name"],
        format=document["format"],
        recipe=tuple(document["recipe"]),
        lineage=tuple(document["lineage"]),
        artifact=_artifact(artifact) if artifact else None,
        failure=_failure(document["failure"]),
        layers=tuple(LayerChoice(**each) for each in document.get("layers", ())),
        origin=_origin(document.get("origin")),
    )


def _origin(document: Plain | None) -> Origin | None:
    """None for a variant that was kept before origins were written down."""
    if document is None:
        return None
    facts = document["facts"]
    known = {
        "sources": tuple(SourceFile(**each) for each in document["sources"]),
        "data": tuple(StepData(**each) for each in document["data"]),
        "facts": ModelFacts(**facts) if facts else None,
    }
    return Origin(**{**document, **known})


def result_document(result: Result) -> Plain:
    """Everything but the figures and the samples, which have tables of their own."""
    bare = dataclasses.replace(result, metrics={}, raw=None)
    document: Plain = plain(bare)
    if result.raw is not None:
        document["raw"] = plain(
            dataclasses.replace(result.raw, repeats=(), evaluation_outputs=None)
        )
        document["raw"]["windows"] = [plain(each.windows) for each in result.raw.repeats]
    return document


def result_from(
    document: Plain, metrics: Mapping[str, Metric], repeats: tuple[RawRepeat, ...]
) -> Result:
    raw = document["raw"]
    return Result(
        device=DeviceRef(**document["device"]),
        artifact=_artifact(document["artifact"]),
        settings=_settings(document["settings"]),
        metrics=metrics,
        checks=_checks(document["checks"]),
        conditions=document["conditions"],
        runtime_version=document["runtime_version"],
        runtime_package=document["runtime_package"],
        accelerator_used=document["accelerator_used"],
        sample_count=document["sample_count"],
        process_count=document["process_count"],
        variant=document["variant"],
        job_id=document["job_id"],
        error=_failure(document["error"]),
        raw=_raw(raw, repeats) if raw else None,
        robustness=_robustness(document.get("robustness")),
        power=_power(document.get("power")),
    )


def _power(document: Plain | None) -> DevicePower:
    """Nothing was known for a run that was kept before it could be told."""
    if document is None:
        return DevicePower()
    model = document["model"]
    return DevicePower(document["battery_wh"], PowerModel(**model) if model else None)


def _robustness(document: Plain | None) -> Robustness | None:
    """None for a run that was kept before it was looked at."""
    if document is None:
        return None
    classes = tuple(ClassAccuracy(**_with_pairs(each)) for each in document["per_class"])
    corruptions = tuple(CorruptedAccuracy(**_with_pairs(each)) for each in document["corruptions"])
    return Robustness(**{**document, "per_class": classes, "corruptions": corruptions})


def _with_pairs(document: Plain) -> Plain:
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in document.items()
    }


def _raw(document: Plain, repeats: tuple[RawRepeat, ...]) -> RawArm:
    """A run that was kept before power was measured has neither sensors nor windows."""
    windows = document.get("windows", ())
    known = {name: value for name, value in document.items() if name != "windows"}
    values = {
        **known,
        "repeats": tuple(map(_with_windows, repeats, windows)) if windows else repeats,
        "sensors": tuple(SensorInfo(**each) for each in document.get("sensors", ())),
        "checks": _checks(document["checks"]),
        "inputs": _tensors(document["inputs"]),
        "outputs": _tensors(document["outputs"]),
        "evaluation_failure": _failure(document["evaluation_failure"]),
        "failure": _failure(document["failure"]),
        "profile": profile_from(document.get("profile")),
    }
    return RawArm(**values)


def _with_windows(repeat: RawRepeat, documents: list[Plain]) -> RawRepeat:
    return dataclasses.replace(repeat, windows=tuple(Window(**each) for each in documents))


def _artifact(document: Plain) -> Artifact:
    files = tuple(
        ArtifactFile(file["name"], Path(file["path"]), Digest(**file["digest"]))
        for file in document["files"]
    )
    return Artifact(document["format"], files, document["download_bytes"])


def _settings(document: Plain) -> MeasurementSettings:
    shapes = {name: tuple(shape) for name, shape in document["input_shapes"].items()}
    affinity = tuple(document.get("cpu_affinity", ()))
    return MeasurementSettings(**{**document, "input_shapes": shapes, "cpu_affinity": affinity})


def _checks(documents: list[Plain]) -> tuple[Check, ...]:
    return tuple(Check(**{**each, "metrics": tuple(each["metrics"])}) for each in documents)


def _tensors(documents: list[Plain]) -> tuple[TensorInfo, ...]:
    return tuple(
        TensorInfo(each["name"], each["dtype"], tuple(each["dimensions"])) for each in documents
    )


def _failure(document: Plain | None) -> Failure | None:
    return Failure(**document) if document else None
