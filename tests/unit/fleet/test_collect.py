from pathlib import Path

import numpy as np
from trimtab.fleet import convert
from trimtab.fleet.collect import JobCollector
from trimtab.fleet.jobs import ArmOutcome, ArmRequest, JobUpdate, Readings, Samples, int64
from trimtab.records import Artifact, ArtifactFile, MeasurementSettings, SensorSeries
from trimtab_protos.digest import digest_bytes
from trimtab_protos.errors import Failure
from trimtab_protos.v1 import benchmark_pb2

ARTIFACT = Artifact("onnx", (ArtifactFile("m.onnx", Path("m.onnx"), digest_bytes(b"m")),), 1)
ARM = ArmRequest("a", ARTIFACT, MeasurementSettings(runtime="onnxruntime", repeats=2))


def outcome(failure: Failure | None = None) -> ArmOutcome:
    return ArmOutcome(
        checks=(),
        load_ns=(7, 8),
        first_inference_ns=(5, 6),
        io_ns=(1,),
        memory_bytes={"peak": 10},
        conditions={},
        accelerator_used="cpu",
        runtime_version="1",
        runtime_package="onnxruntime",
        unavailable={},
        inputs=(),
        outputs=(),
        sample_count=4,
        evaluation_outputs=None,
        evaluation_failure=None,
        failure=failure,
    )


def batch(sequence: int, repeat: int, latencies: list[int]) -> JobUpdate:
    samples = Samples(int64(range(len(latencies))), int64(latencies))
    return JobUpdate(sequence, arm="a", repeat_index=repeat, phase="measure", samples=samples)


def test_samples_keep_their_order_over_batches() -> None:
    collector = JobCollector((ARM,))
    for update in (batch(1, 0, [9, 3]), batch(2, 0, [5]), batch(3, 1, [4])):
        collector.take(update)
    collector.take(JobUpdate(4, arm="a", outcome=outcome()))

    first, second = collector.raw_arm("a", None, None).repeats

    assert first.latency_ns.tolist() == [9, 3, 5]
    assert (second.index, second.latency_ns.tolist()) == (1, [4])
    assert (first.load_ns, second.load_ns) == (7, 8)
    assert (first.io_ns, second.io_ns) == (1, None)


def readings(sequence: int, repeat: int, sensor: str, values: list[float]) -> JobUpdate:
    series = SensorSeries(int64(range(len(values))), np.array(values))
    return JobUpdate(sequence, arm="a", repeat_index=repeat, readings=Readings(sensor, series))


def test_readings_belong_to_their_repeat_and_join_over_batches() -> None:
    collector = JobCollector((ARM,))
    for update in (
        batch(1, 0, [9]),
        readings(2, 0, "temperature_c", [50.0, 51.0]),
        readings(3, 0, "temperature_c", [52.0]),
        batch(4, 1, [4]),
        readings(5, 1, "frequency_mhz", [1800.0]),
        JobUpdate(6, arm="a", outcome=outcome()),
    ):
        collector.take(update)
    first, second = collector.raw_arm("a", None, None).repeats
    assert set(first.sensors) == {"temperature_c"}
    assert first.sensors["temperature_c"].values.tolist() == [50.0, 51.0, 52.0]
    assert second.sensors["frequency_mhz"].values.tolist() == [1800.0]


def test_a_sensor_that_says_not_a_number_has_said_nothing() -> None:
    sensors = benchmark_pb2.SensorBatch(
        sensor="temperature_c", offset_ns=[1, 2, 3], values=[50.0, float("nan"), 52.0]
    )
    found = convert.job_update(benchmark_pb2.JobEvent(sequence=1, sensor_batch=sensors)).readings
    assert found is not None
    assert found.sensor == "temperature_c"
    assert found.series.offset_ns.tolist() == [1, 3]
    assert found.series.values.tolist() == [50.0, 52.0]


def test_an_event_heard_twice_after_a_reconnection_counts_once() -> None:
    collector = JobCollector((ARM,))
    for update in (batch(1, 0, [9, 3]), batch(1, 0, [9, 3]), batch(2, 0, [5])):
        collector.take(update)
    collector.take(JobUpdate(3, arm="a", outcome=outcome()))

    assert collector.raw_arm("a", None, None).repeats[0].latency_ns.tolist() == [9, 3, 5]


def test_an_arm_without_a_word_failed_for_the_jobs_reason() -> None:
    collector = JobCollector((ARM,))
    collector.take(
        JobUpdate(1, terminal_state="failed", failure=Failure("device", "the agent stopped"))
    )

    assert collector.raw_arm("a", None, None).failure == Failure("device", "the agent stopped")


def test_an_arms_own_failure_is_kept() -> None:
    collector = JobCollector((ARM,))
    failure = Failure("model", "refused")
    collector.take(JobUpdate(1, arm="a", outcome=outcome(failure)))

    assert collector.raw_arm("a", None, None).failure == failure
