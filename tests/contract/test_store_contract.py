"""What every database behind the run store must do; run on SQLite in a file and in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from trimtab.operator_profile import OperatorProfile, OperatorTime
from trimtab.records import (
    Artifact,
    ArtifactFile,
    Check,
    ClassAccuracy,
    CorruptedAccuracy,
    Decision,
    DeviceDecision,
    DevicePower,
    DeviceRef,
    LayerChoice,
    MeasurementSettings,
    Metric,
    NotChosen,
    Objective,
    PowerModel,
    RawArm,
    RawRepeat,
    Requirement,
    Result,
    Robustness,
    Run,
    SensorInfo,
    SensorSeries,
    TensorInfo,
    UserError,
    Variant,
    Window,
)
from trimtab.store import RunStore
from trimtab_protos.digest import digest_bytes
from trimtab_protos.errors import Failure

UNSORTED_NS = [900, 100, 2**40, 500, 100]
HEAT = SensorSeries(np.array([5, 2**50]), np.array([50.25, 1 / 3]))
LAYERS = (
    LayerChoice("conv1", "Conv", "float", "alone in int8: 4.8 dB", 2304, 4.8, 0.271, -0.01),
    LayerChoice("fc", "Gemm", "int8", "", 2560, 36.6),
)
CHECK = Check("steady", "failed", True, ("latency_p50_ms",), "drifted 9 %", "cool the device")


def an_artifact(name: str = "m.onnx") -> Artifact:
    external = ArtifactFile("m.data", Path("/models/m.data"), digest_bytes(b"weights"))
    file = ArtifactFile(name, Path("/models") / name, digest_bytes(name.encode()))
    return Artifact("onnx", (file, external), 12)


ROBUSTNESS = Robustness(
    per_class=(
        ClassAccuracy("0", 3, 1 / 3),
        ClassAccuracy("cat", 40, 0.4, 0.95, -0.55, (-0.7, -0.37), 1e-6, True, True),
    ),
    mean_drop=0.06,
    corruptions=(
        CorruptedAccuracy("noise", 100, 0.7, 0.9, (0.6, 0.8), 0.8, 0.1, (0.0, 0.2)),
        CorruptedAccuracy("rain", 100, 0.7, 0.9),
    ),
    severity=3,
)
PROFILE = OperatorProfile(
    (
        OperatorTime("Conv", "a", "cpu", 1.0, 0.03, 0.75),
        OperatorTime("Relu", "b", "cpu", 1.5, 0.01, 0.25),
    ),
    inference_count=40,
    p50_ms=0.05,
)


def a_raw_arm() -> RawArm:
    repeats = tuple(
        RawRepeat(
            index=index,
            start_offset_ns=np.arange(5, dtype=np.int64) * 1000 + index,
            latency_ns=np.array(UNSORTED_NS, dtype=np.int64) + index,
            load_ns=5_000_000 + index,
            first_inference_ns=2_000_000,
            io_ns=None if index else 700,
            sensors={} if index else {"temperature_c": HEAT, "rapl/package-0": HEAT},
            windows=() if index else (Window("idle", 0, 400), Window("measure", 500, 900, 5)),
        )
        for index in range(3)
    )
    tensor = TensorInfo("x", "float32", (-1, 8))
    return RawArm(
        arm="a",
        runtime="onnxruntime",
        runtime_version="1.2",
        runtime_package="onnxruntime",
        accelerator_used="cpu",
        repeats=repeats,
        memory_bytes={"peak": 2**35},
        checks=(CHECK,),
        conditions={"governor": "unknown"},
        unavailable={"energy_mj": "no sensor"},
        inputs=(tensor,),
        outputs=(tensor,),
        evaluation_outputs=None,
        evaluation_failure=Failure("model", "NaN in the outputs"),
        failure=None,
        profile=PROFILE,
        sensors=(
            SensorInfo(
                "rapl/package-0", "mJ", "a package", "", "counter", "addend", 1000, 262143.3
            ),
            SensorInfo("hwmon/power1", "mW", "", "it stopped answering while measuring"),
        ),
    )


def a_result(variant: str = "int8", error: Failure | None = None) -> Result:
    metrics = {
        "latency_p50_ms": Metric(0.5, "ms", "measured", (0.4, 0.6), False, "steady: drifted"),
        "energy_mj": Metric(None, "mJ", "unavailable", reason="no sensor"),
        "accuracy": Metric(0.97, "fraction", "measured"),
    }
    return Result(
        device=DeviceRef("pi", "id-1", "a board"),
        artifact=an_artifact(),
        settings=MeasurementSettings("onnxruntime", input_shapes={"x": (1, 8)}),
        metrics={} if error else metrics,
        checks=(CHECK,),
        conditions={"governor": "unknown"},
        runtime_version="1.2",
        runtime_package="onnxruntime",
        accelerator_used="cpu",
        sample_count=15,
        process_count=3,
        variant=variant,
        job_id="job-1",
        error=error,
        raw=None if error else a_raw_arm(),
        robustness=None if error else ROBUSTNESS,
        power=DevicePower() if error else DevicePower(18.5, PowerModel(2.5, 0.9)),
    )


def a_run(run_id: str = "20260102-030405-ab12", created: str = "2026-01-02T03:04:05+00:00") -> Run:
    chosen, failed = a_result(), a_result("odd", Failure("model", "no such operator"))
    recipe = ({"use": "quantize", "scheme": "static", "bits": 8},)
    decision = Decision(
        (Requirement("accuracy", ">=", 0.9),),
        Objective("energy_mj", otherwise="latency_p50_ms"),
        (
            DeviceDecision(
                chosen.device,
                chosen,
                "lowest",
                "minimize",
                (NotChosen("odd", "failed", False),),
                ("class 3 fell",),
            ),
        ),
    )
    variants = (
        Variant("int8", "onnx", recipe, ("quantized",), an_artifact(), layers=LAYERS),
        Variant("odd", "tflite", recipe, (), None, Failure("model", "cannot be exported")),
    )
    return Run(run_id, "digits", created, variants, (failed, chosen), decision)


def assert_same(loaded: Run, saved: Run) -> None:
    """Equal in everything; arrays do not compare as a whole, so samples go one by one."""
    assert [_bare(each) for each in loaded.results] == [_bare(each) for each in saved.results]
    assert replace(loaded, results=(), decision=None) == replace(saved, results=(), decision=None)
    for ours, theirs in zip(loaded.results, saved.results, strict=True):
        assert (ours.raw is None) == (theirs.raw is None)
        if ours.raw is not None and theirs.raw is not None:
            for mine, other in zip(ours.raw.repeats, theirs.raw.repeats, strict=True):
                assert mine.latency_ns.tolist() == other.latency_ns.tolist()
                assert mine.start_offset_ns.tolist() == other.start_offset_ns.tolist()
                assert (mine.index, mine.load_ns, mine.first_inference_ns, mine.io_ns) == (
                    other.index,
                    other.load_ns,
                    other.first_inference_ns,
                    other.io_ns,
                )
                assert mine.windows == other.windows
                assert set(mine.sensors) == set(other.sensors)
                for name, series in mine.sensors.items():
                    assert series.offset_ns.tolist() == other.sensors[name].offset_ns.tolist()
                    assert series.values.tolist() == other.sensors[name].values.tolist()


def _bare(result: Result) -> Result:
    return replace(result, raw=replace(result.raw, repeats=()) if result.raw else None)


class StoreContract:
    """Subclasses give ``store``."""

    def test_a_run_comes_back_as_it_was_saved(self, store: RunStore) -> None:
        store.save(a_run())
        assert_same(store.load(a_run().run_id), a_run())

    def test_unsorted_samples_stay_in_the_order_they_were_taken(self, store: RunStore) -> None:
        store.save(a_run())
        raw = store.load(a_run().run_id).results[1].raw
        assert raw is not None
        assert raw.repeats[0].latency_ns.tolist() == UNSORTED_NS
        assert raw.repeats[0].latency_ns.dtype == np.int64

    def test_the_decision_points_at_the_run_s_own_result(self, store: RunStore) -> None:
        store.save(a_run())
        loaded = store.load(a_run().run_id)
        assert loaded.decision is not None
        assert loaded.decision.devices[0].chosen is loaded.results[1]
        assert loaded.decision.requirements == (Requirement("accuracy", ">=", 0.9),)
        assert loaded.decision.devices[0].not_chosen == (NotChosen("odd", "failed", False),)

    def test_results_added_one_by_one_are_there_in_that_order(self, store: RunStore) -> None:
        store.save(replace(a_run(), results=(), decision=None))
        for name in ("c", "a", "b"):
            store.add_result(a_run().run_id, a_result(name))
        assert [each.variant for each in store.load(a_run().run_id).results] == ["c", "a", "b"]

    def test_saving_again_replaces_what_was_there(self, store: RunStore) -> None:
        store.save(a_run())
        store.save(replace(a_run(), name="second", results=(a_result("only"),), decision=None))
        loaded = store.load(a_run().run_id)
        assert (loaded.name, len(loaded.results), loaded.decision) == ("second", 1, None)

    def test_a_decision_can_be_set_later_from_loaded_results(self, store: RunStore) -> None:
        store.save(replace(a_run(), decision=None))
        decision = a_run().decision
        assert decision is not None
        store.set_decision(a_run().run_id, decision)
        loaded = store.load(a_run().run_id)
        assert loaded.decision is not None
        assert loaded.decision.devices[0].chosen is loaded.results[1]

    def test_a_beginning_names_a_run_where_only_one_has_it(self, store: RunStore) -> None:
        store.save(a_run("20260102-030405-ab12"))
        store.save(a_run("20260102-030405-cd34"))
        assert store.load("20260102-030405-c").run_id == "20260102-030405-cd34"
        with pytest.raises(UserError, match="several runs begin with 20260102") as caught:
            store.load("20260102")
        assert "ab12" in caught.value.advice

    def test_an_unknown_run_names_the_newest(self, store: RunStore) -> None:
        with pytest.raises(UserError, match="unknown run nope") as caught:
            store.load("nope")
        assert "no run yet" in caught.value.advice
        store.save(a_run())
        for unknown in ("nope", "%", ""):
            with pytest.raises(UserError, match="unknown run") as caught:
                store.load(unknown)
            assert a_run().run_id in caught.value.advice

    def test_the_list_is_newest_first_and_counts(self, store: RunStore) -> None:
        store.save(a_run("20260101-000000-aaaa", "2026-01-01T00:00:00+00:00"))
        store.save(a_run("20260301-000000-bbbb", "2026-03-01T00:00:00+00:00"))
        store.save(a_run("20260201-000000-cccc", "2026-02-01T00:00:00+00:00"))
        listed = store.list()
        assert [each.run_id[4:6] for each in listed] == ["03", "02", "01"]
        first = listed[0]
        assert (first.variant_count, first.result_count, first.failed_count) == (2, 2, 1)
        assert first.devices == ("pi",)
        assert first.decided

    def test_a_deleted_run_is_gone_and_the_others_stay(self, store: RunStore) -> None:
        store.save(a_run("20260102-030405-ab12"))
        store.save(a_run("20260102-030405-cd34"))
        assert store.delete("20260102-030405-ab") == "20260102-030405-ab12"
        assert [each.run_id for each in store.list()] == ["20260102-030405-cd34"]
        assert_same(store.load("20260102-030405-cd34"), a_run("20260102-030405-cd34"))
        store.save(a_run("20260102-030405-ab12"))

    def test_a_result_for_an_unknown_run_is_refused(self, store: RunStore) -> None:
        with pytest.raises(UserError, match="unknown run"):
            store.add_result("nope", a_result())


class TestSqliteInMemory(StoreContract):
    @pytest.fixture
    def store(self) -> Iterator[RunStore]:
        with RunStore("sqlite:///:memory:") as store:
            yield store


class TestSqliteFile(StoreContract):
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "runs.db"

    @pytest.fixture
    def store(self, path: Path) -> Iterator[RunStore]:
        with RunStore(f"sqlite:///{path}", timeout_s=0.1) as store:
            yield store

    def test_an_added_result_is_there_for_another_process_at_once(
        self, store: RunStore, path: Path
    ) -> None:
        store.save(replace(a_run(), results=(), decision=None))
        store.add_result(a_run().run_id, a_result())
        with RunStore(f"sqlite:///{path}") as other:
            assert len(other.load(a_run().run_id).results) == 1

    def test_deleting_leaves_no_samples_behind(self, store: RunStore, path: Path) -> None:
        store.save(a_run())
        store.delete(a_run().run_id)
        connection = sqlite3.connect(path)
        counts = [
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
            for table in ("results", "metrics", "repeats", "sensor_readings", "variants")
        ]
        connection.close()
        assert counts == [0, 0, 0, 0, 0]

    def test_a_database_from_before_there_were_readings_is_read_and_takes_them(
        self, store: RunStore, path: Path
    ) -> None:
        store.save(a_run("20260102-030405-ab12"))
        store.close()
        connection = sqlite3.connect(path)
        connection.execute("DROP TABLE sensor_readings")
        connection.commit()
        connection.close()
        with RunStore(f"sqlite:///{path}") as again:
            raw = again.load("20260102-030405-ab12").results[1].raw
            assert raw is not None
            assert [dict(each.sensors) for each in raw.repeats] == [{}, {}, {}]
            again.save(a_run("20260102-030405-cd34"))
            assert_same(again.load("20260102-030405-cd34"), a_run("20260102-030405-cd34"))

    def test_damaged_samples_are_one_line(self, store: RunStore, path: Path) -> None:
        store.save(a_run())
        connection = sqlite3.connect(path)
        connection.execute("UPDATE repeats SET latency_ns = x'00ff'")
        connection.commit()
        connection.close()
        with pytest.raises(UserError, match="is damaged") as caught:
            store.load(a_run().run_id)
        assert "\n" not in caught.value.message
