"""A run as a JSON document and integer arrays beside it, and back, with every field checked.

The document names no folder of the machine that wrote it.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError

from trimtab.metrics import METRICS
from trimtab.records import (
    Artifact,
    DevicePower,
    DeviceRef,
    Float64Array,
    Int64Array,
    Metric,
    NotChosen,
    Objective,
    RawArm,
    RawRepeat,
    Requirement,
    Result,
    Run,
    SensorSeries,
    Variant,
)
from trimtab.store.codec import plain
from trimtab.store.decisions import decision_document, decision_from
from trimtab.store.recorded_origin import is_bare, origin_problem, without_folder

Document = dict[str, Any]
Array = Int64Array | Float64Array
Arrays = Mapping[str, Array]
_RUN_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.-]{0,99}")
_RUN_FIELDS = {"run_id", "name", "created", "variants", "results", "decision"}
_R = TypeVar("_R")


class WrongDocument(ValueError):
    """The document is not one that :func:`run_document` wrote; the text says where."""


@dataclasses.dataclass(frozen=True)
class _DeviceDecision:
    device: DeviceRef
    chosen: Annotated[int, Field(ge=0)] | None
    reason: str
    objective_used: str
    not_chosen: tuple[NotChosen, ...]
    warnings: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class _Decision:
    requirements: tuple[Requirement, ...]
    objective: Objective
    devices: tuple[_DeviceDecision, ...]


def run_document(run: Run) -> tuple[Document, dict[str, Array]]:
    """The document, and the arrays by the names it refers to them with."""
    arrays: dict[str, Array] = {}
    return {
        "run_id": run.run_id,
        "name": run.name,
        "created": run.created,
        "variants": [_variant_document(variant) for variant in run.variants],
        "results": [
            _result_document(result, position, arrays)
            for position, result in enumerate(run.results)
        ],
        "decision": decision_document(run.decision, run.results) if run.decision else None,
    }, arrays


def run_from_document(document: object, arrays: Arrays) -> Run:
    """Raises WrongDocument."""
    if not isinstance(document, dict) or set(document) != _RUN_FIELDS:
        raise WrongDocument("the run has other fields than a run has")
    if not isinstance(document["run_id"], str) or not _RUN_ID.fullmatch(document["run_id"]):
        raise WrongDocument("run_id is not the id of a run")
    used: set[str] = set()
    variants = tuple(
        _checked(Variant, each, f"variants[{index}]")
        for index, each in enumerate(_list(document, "variants"))
    )
    results = tuple(
        _result(each, f"results[{index}]", arrays, used)
        for index, each in enumerate(_list(document, "results"))
    )
    if used != set(arrays):
        raise WrongDocument("it holds samples that no result refers to")
    _check_artifacts((*(each.artifact for each in results), *(each.artifact for each in variants)))
    for origin in (each.origin for each in variants if each.origin is not None):
        if problem := origin_problem(origin):
            raise WrongDocument(problem)
    decision = document["decision"]
    if decision is not None:
        for device in _valid(_Decision, decision, "decision").devices:
            if device.chosen is not None and device.chosen >= len(results):
                raise WrongDocument("decision: it chose a result that is not there")
    return Run(
        run_id=document["run_id"],
        name=_valid(str, document["name"], "name"),
        created=_valid(str, document["created"], "created"),
        variants=variants,
        results=results,
        decision=None if decision is None else decision_from(decision, results),
    )


def _variant_document(variant: Variant) -> Document:
    artifact = _without_folders(variant.artifact) if variant.artifact is not None else None
    document: Document = plain(dataclasses.replace(variant, artifact=artifact))
    if not variant.layers:
        del document["layers"]  # as before there were any: older versions read it
    if variant.origin is None:
        del document["origin"]
    else:
        document["origin"] = plain(without_folder(variant.origin))
    return document


def _result_document(result: Result, position: int, arrays: dict[str, Array]) -> Document:
    artifact = _without_folders(result.artifact)
    document: Document = plain(dataclasses.replace(result, artifact=artifact, raw=None))
    if result.power == DevicePower():
        del document["power"]
    if result.raw is not None:
        document["raw"] = plain(
            dataclasses.replace(result.raw, repeats=(), evaluation_outputs=None)
        )
        if not result.raw.sensors:
            del document["raw"]["sensors"]  # as before there were any: older versions read it
        document["raw"]["repeats"] = [
            _repeat_document(repeat, f"{position}-{index}", arrays)
            for index, repeat in enumerate(result.raw.repeats)
        ]
    return document


def _repeat_document(repeat: RawRepeat, place: str, arrays: dict[str, Array]) -> Document:
    document: Document = {}
    for field in dataclasses.fields(repeat):
        value = getattr(repeat, field.name)
        if _is_array(field.name):
            document[field.name] = f"samples/{place}-{field.name}.npy"
            arrays[document[field.name]] = value
        elif field.name == "sensors":
            document["sensors"] = _sensor_documents(repeat, place, arrays)
        elif field.name != "windows" or value:
            document[field.name] = plain(value)
    return document


def _sensor_documents(repeat: RawRepeat, place: str, arrays: dict[str, Array]) -> Document:
    """Sensors are numbered: a name that came over the wire is none of a file's."""
    documents: Document = {}
    for number, (sensor, series) in enumerate(sorted(repeat.sensors.items())):
        beginning = f"samples/{place}-sensor_{number}"
        names = {"offset_ns": f"{beginning}_offset_ns.npy", "values": f"{beginning}_values.npy"}
        arrays |= {names["offset_ns"]: series.offset_ns, names["values"]: series.values}
        documents[sensor] = names
    return documents


def _without_folders(artifact: Artifact) -> Artifact:
    files = tuple(dataclasses.replace(file, path=Path(file.name)) for file in artifact.files)
    return dataclasses.replace(artifact, files=files)


def _result(document: object, where: str, arrays: Arrays, used: set[str]) -> Result:
    if not isinstance(document, dict):
        raise WrongDocument(f"{where} is not an object")
    raw = document.get("raw")
    metrics = _valid(dict[str, Metric], document.get("metrics"), f"{where}.metrics")
    for name, metric in metrics.items():
        if name not in METRICS:
            raise WrongDocument(f"{where}: the metric {name[:40]!r} is unknown here")
        if (metric.value is None) != (metric.provenance == "unavailable"):
            raise WrongDocument(f"{where}: {name} has no value, or one it cannot have")
    made = _raw(raw, f"{where}.raw", arrays, used) if raw is not None else None
    return _checked(Result, document, where, metrics=metrics, raw=made)


def _raw(document: object, where: str, arrays: Arrays, used: set[str]) -> RawArm:
    if not isinstance(document, dict):
        raise WrongDocument(f"{where} is not an object")
    repeats = tuple(
        _repeat(each, f"{where}.repeats[{index}]", arrays, used)
        for index, each in enumerate(_list(document, "repeats"))
    )
    return _checked(RawArm, document, where, repeats=repeats, evaluation_outputs=None)


def _repeat(document: object, where: str, arrays: Arrays, used: set[str]) -> RawRepeat:
    if not isinstance(document, dict):
        raise WrongDocument(f"{where} is not an object")
    known: dict[str, Any] = {
        name: _array(document[name], np.int64, f"{where}.{name}", arrays, used)
        for name in filter(_is_array, document)
    }
    if "sensors" in document:
        known["sensors"] = _sensors(document["sensors"], f"{where}.sensors", arrays, used)
    repeat = _checked(RawRepeat, document, where, **known)
    if len(repeat.start_offset_ns) != len(repeat.latency_ns):
        raise WrongDocument(f"{where}: as many start times as latencies are needed")
    return repeat


def _sensors(
    document: object, where: str, arrays: Arrays, used: set[str]
) -> dict[str, SensorSeries]:
    found = {}
    for sensor, members in _valid(dict[str, dict[str, str]], document, where).items():
        here = f"{where}.{sensor[:40]}"
        if set(members) != {"offset_ns", "values"}:
            raise WrongDocument(f"{here} has other fields than readings have")
        series = SensorSeries(
            _array(members["offset_ns"], np.int64, f"{here}.offset_ns", arrays, used),
            _array(members["values"], np.float64, f"{here}.values", arrays, used),
        )
        if len(series.offset_ns) != len(series.values) or not np.isfinite(series.values).all():
            raise WrongDocument(f"{here}: as many times as finite values are needed")
        found[sensor] = series
    return found


def _array(member: object, kind: type, where: str, arrays: Arrays, used: set[str]) -> Any:
    """Each array of the file is referred to once."""
    if not isinstance(member, str) or member not in arrays or member in used:
        raise WrongDocument(f"{where} refers to samples that are not there")
    if arrays[member].dtype != kind:
        raise WrongDocument(f"{where} refers to samples of another type")
    used.add(member)
    return arrays[member]


def _checked(record: type[_R], document: object, where: str, **known: Any) -> _R:
    """The record from plain data, each field of the declared type but for those ``known``."""
    if not isinstance(document, dict):
        raise WrongDocument(f"{where} is not an object")
    hints = get_type_hints(record)
    unknown = sorted(set(document) - set(hints))
    if unknown:
        raise WrongDocument(f"{where}: unknown field {unknown[0][:40]!r}")
    values = {
        name: known[name] if name in known else _valid(hints[name], value, f"{where}.{name}")
        for name, value in document.items()
    }
    try:
        return record(**values)
    except TypeError as error:
        raise WrongDocument(f"{where}: {str(error).partition('() ')[2]}") from error


def _valid(kind: Any, value: object, where: str) -> Any:
    try:
        return _adapter(kind).validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        inside = "".join(f".{part}" for part in first["loc"])
        raise WrongDocument(f"{where}{inside}: {first['msg']}") from error


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _list(document: Document, name: str) -> list[object]:
    value = document.get(name)
    if not isinstance(value, list):
        raise WrongDocument(f"{name} is not a list")
    return value


def _is_array(field: str) -> bool:
    return bool(get_type_hints(RawRepeat).get(field) == Int64Array)


def _check_artifacts(artifacts: tuple[Artifact | None, ...]) -> None:
    """Names are shown and may later be written: bare ones only."""
    for artifact in artifacts:
        for file in artifact.files if artifact is not None else ():
            if not is_bare(file.name) or str(file.path) != file.name:
                raise WrongDocument(f"the artifact file {file.name[:40]!r} is not a bare name")
        if artifact is not None and not artifact.files:
            raise WrongDocument("an artifact has no file")
