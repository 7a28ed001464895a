"""A sustained load on a board that gets hot and slows down, told so by files of the test's."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from trimtab_protos.v1 import benchmark_pb2

pytestmark = [pytest.mark.slow, pytest.mark.alone]

FAILED = benchmark_pb2.ValidityCheck.OUTCOME_FAILED
PASSED = benchmark_pb2.ValidityCheck.OUTCOME_PASSED
_ZONE = "sys/class/thermal/thermal_zone0/temp"
_FREQUENCY = "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq"
_DURATION_S = 3.0


def write(root: Path, name: str, value: int) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name("new")
    temporary.write_text(f"{value}\n")
    temporary.replace(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path / "root", _ZONE, 50_000)
    write(tmp_path / "root", _FREQUENCY, 1_800_000)
    return tmp_path / "root"


@pytest.fixture
def client(start_agent: Any, connect: Any, root: Path) -> Any:
    return connect(start_agent("--root", str(root)).address)


@pytest.fixture
def spec(client: Any, make_spec: Any) -> Any:
    """The null runtime: the fastest there is, so the room for samples is full many times."""
    spec = make_spec({"m": (client.upload(b"any"), "any.onnx")}, runtime="null", repeats=1)
    spec.sustained.duration.FromMilliseconds(int(_DURATION_S * 1000))
    spec.policy.process_timeout.FromSeconds(2)  # of everything but the load itself
    spec.policy.max_retries = 3
    return spec


@contextmanager
def heated_while_measuring(root: Path, client: Any, job_id: str) -> Iterator[None]:
    """Hotter every quarter of a second, and slower from the middle on."""

    def heat() -> None:
        begin = next(
            time.monotonic()
            for event in client.watch(job_id)
            if event.phase == benchmark_pb2.PHASE_MEASURE
        )
        while (elapsed := time.monotonic() - begin) < _DURATION_S:
            write(root, _ZONE, 50_000 + int(10_000 * elapsed))
            write(root, _FREQUENCY, 1_800_000 if elapsed < _DURATION_S / 2 else 1_000_000)
            time.sleep(0.25)

    thread = threading.Thread(target=heat)
    thread.start()
    yield
    thread.join()


def test_the_load_lasts_and_the_sensors_tell_how_it_went(
    root: Path, client: Any, spec: Any
) -> None:
    job_id = client.submit(spec)
    with heated_while_measuring(root, client, job_id):
        events = list(client.watch(job_id))
    (result,) = events[-1].job_finished.job.result.arms
    checks = {check.name: check for check in result.checks}
    assert checks["MIN_DURATION"].outcome == PASSED
    assert "(minimum 3000.0 ms)" in checks["MIN_DURATION"].seen
    assert checks["NOT_THROTTLED"].outcome == FAILED
    assert "frequency down from 1800 to 1000 MHz" in checks["NOT_THROTTLED"].seen
    assert "retries" not in result.conditions

    samples = [event.sample_batch for event in events if event.HasField("sample_batch")]
    starts = [start for batch in samples for start in batch.start_offset_ns]
    assert starts[-1] - starts[0] > (_DURATION_S - 0.01) * 1e9
    assert len(starts) == result.sample_count <= 1 << 18
    assert result.conditions["timed_inferences"].startswith(f"{len(starts)} of ")

    sensors = {
        event.sensor_batch.sensor: event.sensor_batch
        for event in events
        if event.HasField("sensor_batch")
    }
    assert set(sensors) == {"temperature_c", "frequency_mhz", "runnable_threads"}
    for batch in sensors.values():
        assert len(batch.offset_ns) == len(batch.values) >= _DURATION_S / 0.5
        assert starts[0] - 1e9 < batch.offset_ns[0] < batch.offset_ns[-1] < starts[-1] + 1e9
    temperatures = list(sensors["temperature_c"].values)
    assert temperatures == sorted(temperatures)
    assert temperatures[-1] > 70
    assert {*sensors["frequency_mhz"].values} == {1800.0, 1000.0}


def test_an_ordinary_repeat_sends_its_readings_after_its_samples(client: Any, spec: Any) -> None:
    spec.single_stream.SetInParent()
    spec.policy.process_timeout.FromSeconds(60)
    events = list(client.watch(client.submit(spec)))
    kinds = [event.WhichOneof("kind") for event in events]
    assert kinds.count("sensor_batch") == 3
    last_samples = max(i for i, kind in enumerate(kinds) if kind == "sample_batch")
    assert kinds.index("sensor_batch") > last_samples
