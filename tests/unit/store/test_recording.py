"""A recording is the run, whole, or it is refused with one line."""

from __future__ import annotations

import hashlib
import json
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trimtab.operator_profile import OperatorProfile, OperatorTime
from trimtab.records import (
    ClassAccuracy,
    CorruptedAccuracy,
    Decision,
    DeviceDecision,
    DevicePower,
    LayerChoice,
    MeasurementSettings,
    Metric,
    ModelFacts,
    NotChosen,
    Objective,
    Origin,
    PowerModel,
    RawArm,
    Requirement,
    Result,
    Robustness,
    Run,
    SensorInfo,
    SensorSeries,
    SourceFile,
    StepData,
    UserError,
    Variant,
    Window,
)
from trimtab.report.json_output import run_json
from trimtab.store import RunStore, read_recording, recording, write_recording
from trimtab_protos.errors import Failure

Members = dict[str, bytes]
Document = dict[str, Any]
SAMPLES = "samples/0-0-latency_ns.npy"
LAYERS = (
    LayerChoice("conv1", "Conv", "float", "alone in int8: 4.8 dB", 2304, 4.8, 0.271, -0.01),
    LayerChoice("fc", "Gemm", "int8", "", 2560, 36.6),
)

ORIGIN = Origin(
    "/nowhere/project",
    (
        SourceFile("model.onnx", "ab" * 32, "model"),
        SourceFile("../data/eval.npz", "cd" * 32, "eval"),
    ),
    seed=7,
    versions={"trimtab": "1.0"},
    python="3.11.1",
    machine="Linux x86_64",
    data=(StepData("quantize", "ef" * 32),),
    facts=ModelFacts(122, None, 0.25, {"macs": "it does not run"}, "file"),
)


@pytest.fixture
def run(make_result: Callable[..., Result], make_raw_arm: Callable[..., RawArm]) -> Run:
    operator = OperatorTime("Conv", "conv1", "cpu", 1.0, 0.25, 1.0)
    profile = OperatorProfile((operator,), 20, 0.3, source="the compiled model")
    raw = make_raw_arm(((10, 2**30, 20), (1, 2, 3)), memory_bytes={"peak": 5})
    first, second = raw.repeats
    heat = SensorSeries(np.array([3, 2**40]), np.array([50.5, -1 / 3]))
    windows = (Window("idle", 0, 10), Window("measure", 20, 2**40, 3))
    sensed = {"temperature_c": heat, "thermal/../zone": heat, "rapl/package-0": heat}
    first = replace(first, sensors=sensed, windows=windows)
    package = SensorInfo("rapl/package-0", "mJ", "a package", "", "counter", "addend", 10, 0.5)
    raw = replace(raw, profile=profile, repeats=(first, second), sensors=(package,))
    chosen = make_result("int8", raw=raw, latency_p50_ms=(0.1, 0.05, 1 / 3))
    settings = MeasurementSettings("onnxruntime", input_shapes={"x": (1, 3)})
    metrics = {**chosen.metrics, "energy_mj": Metric(None, "mJ", "unavailable", reason="none")}
    robustness = Robustness(
        (ClassAccuracy("cat", 40, 0.4, 0.95, -0.55, (-0.7, -0.37), 1e-6, True, True),),
        corruptions=(CorruptedAccuracy("noise", 100, 0.7, 0.9, (0.6, 0.8), 0.8, 0.1, (0.0, 0.2)),),
        severity=3,
    )
    chosen = replace(chosen, settings=settings, metrics=metrics, robustness=robustness)
    chosen = replace(chosen, power=DevicePower(18.5, PowerModel(2.5, 0.9)))
    failed = make_result("fp16", error=Failure("model", "no such operator"))
    decided = DeviceDecision(
        chosen.device,
        chosen,
        "lowest",
        "size_mb",
        (NotChosen("fp16", "failed", False),),
        ("class cat fell from 0.9500 to 0.4000",),
    )
    decision = Decision((Requirement("size_mb", "<=", 2.0),), Objective("size_mb"), (decided,))
    recipe = ({"use": "quantize", "scheme": "static"},)
    variants = (
        Variant("int8", "onnx", recipe, ("quantized",), chosen.artifact),
        Variant("mixed", "onnx", recipe, ("kept",), chosen.artifact, layers=LAYERS, origin=ORIGIN),
        Variant("int8", "tflite", recipe, (), None, Failure("model", "cannot be exported")),
    )
    created = "2026-01-02T03:04:05+00:00"
    return Run("20260102-030405-ab12", "digits", created, variants, (chosen, failed), decision)


@pytest.fixture
def path(run: Run, tmp_path: Path) -> Path:
    write_recording(run, tmp_path / "run.trimtab")
    return tmp_path / "run.trimtab"


@pytest.fixture
def rewritten(path: Path) -> Callable[[Callable[[Members], None]], Path]:
    """The file with its members changed and its checksums made to fit again."""

    def rewrite(change: Callable[[Members], None], manifest: Document | None = None) -> Path:
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        content = json.loads(members.pop("manifest.json"))
        change(members)
        content["members"] = {
            name: {"size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in members.items()
        }
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("manifest.json", json.dumps({**content, **(manifest or {})}))
            for name, data in members.items():
                archive.writestr(name, data)
        return path

    return rewrite


Rewritten = Callable[..., Path]


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        read_recording(path)
    assert "\n" not in caught.value.message
    assert caught.value.advice
    return caught.value.message


def read_or_refused(path: Path) -> Run | None:
    try:
        return read_recording(path)
    except UserError:
        return None


def test_everything_comes_back(run: Run, path: Path) -> None:
    read = read_recording(path)
    assert run_json(read) == run_json(run)
    assert recording.same_content(read, run)
    raw, original = read.results[0].raw, run.results[0].raw
    assert raw is not None
    assert original is not None
    assert replace(raw, repeats=()) == replace(original, repeats=())
    assert [each.latency_ns.tolist() for each in raw.repeats] == [
        each.latency_ns.tolist() for each in original.repeats
    ]
    heat = raw.repeats[0].sensors["temperature_c"]
    assert (heat.offset_ns.tolist(), heat.values.tolist()) == ([3, 2**40], [50.5, -1 / 3])
    assert set(raw.repeats[0].sensors) == {"temperature_c", "thermal/../zone", "rapl/package-0"}
    assert raw.repeats[1].sensors == {}
    assert read.results[0].settings == run.results[0].settings
    assert read.decision is not None
    assert read.decision.devices[0].chosen is read.results[0]


def test_a_recording_from_before_robustness_was_looked_at_is_read(
    run: Run, rewritten: Rewritten
) -> None:
    def as_before(members: Members) -> None:
        document = json.loads(members["run.json"])
        for result in document["results"]:
            del result["robustness"]
        for device in document["decision"]["devices"]:
            del device["warnings"]
        members["run.json"] = json.dumps(document).encode()

    read = read_recording(rewritten(as_before))
    assert [each.robustness for each in read.results] == [None, None]
    assert read.decision is not None
    assert read.decision.devices[0].warnings == ()
    assert run_json(read)["results"][0]["robustness"] is None


def test_only_a_variant_with_layers_has_the_field_that_older_versions_refuse(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        variants = json.loads(archive.read("run.json"))["variants"]
    assert [each["name"] for each in variants if "layers" in each] == ["mixed"]
    assert [each["name"] for each in variants if "origin" in each] == ["mixed"]


def test_an_origin_comes_back_without_its_folder(path: Path) -> None:
    sources = (
        SourceFile("model.onnx", "ab" * 32, "model"),
        SourceFile("eval.npz", "cd" * 32, "eval"),
    )
    assert read_recording(path).variants[1].origin == replace(ORIGIN, folder="", sources=sources)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"folder": "/home/someone"}, "an origin names a folder"),
        ({"sources": []}, "or no source"),
        (
            {"sources": [{"name": "../task.py", "sha256": "", "role": "task"}]},
            "'../task.py' is not a bare name",
        ),
        ({"seed": "7"}, "origin.seed: Input should be a valid integer"),
        ({"python": None}, "origin.python: Input should be a valid string"),
    ],
)
def test_an_origin_that_names_a_file_of_this_machine_is_refused(
    rewritten: Rewritten, change: Document, reason: str
) -> None:
    def with_change(members: Members) -> None:
        document = json.loads(members["run.json"])
        document["variants"][1]["origin"] |= change
        members["run.json"] = json.dumps(document).encode()

    assert reason in refusal(rewritten(with_change))


def test_the_same_run_gives_the_same_bytes_and_no_folder(
    run: Run, path: Path, tmp_path: Path
) -> None:
    write_recording(read_recording(path), tmp_path / "again.trimtab")
    assert (tmp_path / "again.trimtab").read_bytes() == path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        assert b"/nowhere" not in archive.read("run.json")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["again.trimtab", "run.trimtab"]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_half_a_file_is_refused(path: Path, share: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    assert "not a sound recording" in refusal(path)


def test_a_changed_byte_is_found_wherever_it_is(path: Path, run: Run) -> None:
    """Bytes that only the zip's directory uses (dates, attributes) may change nothing."""
    data = path.read_bytes()
    for position in range(0, len(data), 41):
        path.write_bytes(data[:position] + bytes([data[position] ^ 0x55]) + data[position + 1 :])
        read = read_or_refused(path)
        assert read is None or recording.same_content(read, run)


def test_samples_that_are_not_those_of_the_manifest_are_refused(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members[SAMPLES] = members[SAMPLES][:-8] + bytes(8)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    assert f"checksum of {SAMPLES}" in refusal(path)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/tmp/x", "samples/../x.npy", "x.pkl"])  # noqa: S108
def test_a_member_that_is_no_recording_s_is_refused(rewritten: Rewritten, name: str) -> None:
    assert "which no recording does" in refusal(rewritten(lambda m: m.update({name: b"x"})))


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        ({"version": 2}, "version 2, this trimtab reads 1"),
        ({"version": "1"}, "its manifest is not one"),
        ({"schema": "another"}, "not of a recording"),
        ({"members": []}, "its manifest is not one"),
        ({"members": {}}, "not those of its manifest"),
    ],
)
def test_another_schema_or_version_is_refused(
    rewritten: Rewritten, manifest: Document, said: str
) -> None:
    assert said in refusal(rewritten(lambda _members: None, manifest))


def test_a_zip_of_something_else_and_no_zip_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("run.json", "{}")
    assert "no manifest" in refusal(tmp_path / "other.zip")
    (tmp_path / "text").write_text("hello")
    assert "not a sound recording" in refusal(tmp_path / "text")
    assert "no such file" in refusal(tmp_path / "missing")


def test_what_unpacks_to_too_much_is_refused_before_it_is_unpacked(
    path: Path, rewritten: Rewritten, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "_MAX_BYTES", 100_000)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("samples/9-9-x.npy", bytes(200_000))
    assert path.stat().st_size < 100_000
    assert "unpacks to more than" in refusal(path)


def test_pickles_and_false_headers_are_refused(rewritten: Rewritten, tmp_path: Path) -> None:
    assert "magic string" in refusal(rewritten(lambda m: m.update({SAMPLES: pickle.dumps([1])})))
    claimed = np.lib.format.magic(1, 0) + b"\x76\x00"
    header = b"{'descr': '<i8', 'fortran_order': False, 'shape': (1099511627776,), }"
    huge = claimed + header.ljust(117) + b"\n" + bytes(8)
    assert "64-bit numbers" in refusal(rewritten(lambda m: m.update({SAMPLES: huge})))
    np.save(tmp_path / "f.npy", np.zeros(3))
    floats = (tmp_path / "f.npy").read_bytes()
    assert "of another type" in refusal(rewritten(lambda m: m.update({SAMPLES: floats})))


READINGS = "samples/0-0-sensor_1_values.npy"  # sensors are numbered by their names


@pytest.mark.parametrize(
    ("values", "refused"),
    [
        (np.array([1, 2]), "of another type"),
        (np.array([1.0]), "as many times as finite values"),
        (np.array([1.0, np.nan]), "as many times as finite values"),
    ],
)
def test_readings_are_checked_like_samples(
    rewritten: Rewritten, tmp_path: Path, values: np.ndarray[Any, Any], refused: str
) -> None:
    np.save(tmp_path / "v.npy", values)
    data = (tmp_path / "v.npy").read_bytes()
    assert refused in refusal(rewritten(lambda m: m.update({READINGS: data})))


def set_at(document: Any, keys: tuple[str | int, ...], value: object) -> None:
    for key in keys[:-1]:
        document = document[key]
    document[keys[-1]] = value


REPEAT = ("results", 0, "raw", "repeats", 0)


@pytest.mark.parametrize(
    ("keys", "value", "said"),
    [
        (("run_id",), "../x", "run_id"),
        (("name",), 3, "name"),
        (("extra",), 3, "other fields"),
        (("results",), {}, "results is not a list"),
        (("results", 0, "sample_count"), "many", "results[0].sample_count"),
        (("results", 0, "settings", "threads"), [], "results[0].settings.threads"),
        (("results", 0, "invented"), 1, "unknown field 'invented'"),
        (("results", 0, "metrics", "beauty"), {}, "results[0].metrics"),
        (("results", 0, "metrics", "latency_p50_ms", "value"), None, "latency_p50_ms has no value"),
        (("results", 0, "metrics", "latency_p50_ms", "value"), "1", "latency_p50_ms.value"),
        (("results", 0, "artifact", "files", 0, "name"), "../m.onnx", "not a bare name"),
        (("results", 0, "artifact", "files", 0, "path"), "/etc/passwd", "not a bare name"),
        (("results", 0, "artifact", "files", 0, "digest", "sha256"), "no", "SHA-256"),
        (("results", 0, "artifact", "files"), [], "an artifact has no file"),
        (("results", 1, "error", "failure_class"), "weather", "results[1].error"),
        ((*REPEAT, "latency_ns"), "samples/7-7-x.npy", "not there"),
        ((*REPEAT, "latency_ns"), "samples/0-1-latency_ns.npy", "not there"),
        ((*REPEAT, "load_ns"), 1.5, "load_ns"),
        (("decision", "devices", 0, "chosen"), 9, "not there"),
        (("decision", "devices", 0, "chosen"), -1, "chosen"),
        (("decision", "requirements", 0, "operator"), "!=", "operator"),
    ],
)
def test_a_field_of_another_kind_is_refused_and_named(
    rewritten: Rewritten, keys: tuple[str | int, ...], value: object, said: str
) -> None:
    def change(members: Members) -> None:
        document = json.loads(members["run.json"])
        set_at(document, keys, value)
        members["run.json"] = json.dumps(document).encode()

    assert said in refusal(rewritten(change))


def test_a_deeply_nested_document_is_refused(rewritten: Rewritten) -> None:
    deep = b'{"run_id": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    assert "not a sound recording" in refusal(rewritten(lambda m: m.update({"run.json": deep})))


def test_a_missing_folder_is_said(run: Run, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        write_recording(run, tmp_path / "missing" / "run.trimtab")


def test_what_the_store_gives_back_is_the_same_recording(
    path: Path, tmp_path: Path, run: Run
) -> None:
    with RunStore(f"sqlite:///{tmp_path / 'runs.db'}") as store:
        assert store.add(read_recording(path))
        write_recording(store.load(run.run_id), tmp_path / "again.trimtab")
    assert (tmp_path / "again.trimtab").read_bytes() == path.read_bytes()


def test_an_id_that_is_there_is_kept_whatever_is_imported(run: Run, tmp_path: Path) -> None:
    with RunStore(f"sqlite:///{tmp_path / 'runs.db'}") as store:
        assert store.add(run)
        assert not store.add(run)
        with pytest.raises(UserError, match="another run") as caught:
            store.add(replace(run, name="forged"))
        assert "runs delete" in caught.value.advice
        assert store.load(run.run_id).name == "digits"


@pytest.mark.parametrize("name", ["../m.onnx", "a\\m.onnx", "..", "", "a\x1b[2Jm.onnx"])
def test_an_artifact_s_file_has_a_bare_name(rewritten: Rewritten, name: str) -> None:
    def change(members: Members) -> None:
        document = json.loads(members["run.json"])
        file = document["results"][0]["artifact"]["files"][0]
        file["name"] = file["path"] = name
        members["run.json"] = json.dumps(document).encode()

    assert "not a bare name" in refusal(rewritten(change))
