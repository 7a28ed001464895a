"""The agent as a program: starting, refusing to, staying small, stopping, coming back."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from trimtab.fleet.client import AgentClient
from trimtab.fleet.dispatch import Rules, Workload, measure_on
from trimtab.fleet.inventory_device import InventoryDevice
from trimtab.fleet.jobs import ArmRequest
from trimtab.fleet.ledger import RunLedger
from trimtab.records import Artifact, ArtifactFile, MeasurementSettings
from trimtab_protos.digest import digest_file
from trimtab_protos.errors import NotServed, SpecInvalid, status_to_failure
from trimtab_protos.v1 import benchmark_pb2, device_pb2

Job = benchmark_pb2.Job
_QUICK = MeasurementSettings(
    runtime="null", repeats=1, min_duration_s=0.05, warmup_s=0.0, min_samples=5
)
_FORBIDDEN = ("numpy", "onnx", "onnxruntime", "torch", "ai_edge_litert", "tensorflow")


def run_agent(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "trimtab_agent", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_it_answers_soon_after_its_start_and_stays_small(start_agent: Any, connect: Any) -> None:
    begin = time.monotonic()
    agent = start_agent()
    client = connect(agent.address)
    health: Any = health_pb2_grpc.HealthStub(client.channel)
    request = health_pb2.HealthCheckRequest(service="trimtab.v1.BenchmarkService")
    answer = health.Check(request, wait_for_ready=True, timeout=10)
    seconds = time.monotonic() - begin
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    assert seconds < 1.5

    info = client.info()
    assert info.device_id
    assert info.machine_arch
    assert {"onnxruntime", "litert", "null"} <= {runtime.name for runtime in info.runtimes}
    for runtime in info.runtimes:
        assert runtime.version or runtime.unavailable_reason
    assert psutil.Process(agent.pid).memory_info().rss < 50e6


async def test_it_stays_small_on_the_network_after_connections_and_a_job(
    start_agent: Any, pi5_identity: str, tmp_path: Path
) -> None:
    agent = start_agent("--identity", pi5_identity, listen="127.0.0.1:0")
    address = f"tls://{agent.address}"
    for _ in range(8):
        async with AgentClient("pi5", address) as client:
            await client.device_info()
    model = tmp_path / "any.onnx"
    model.write_bytes(b"any")
    artifact = Artifact("onnx", (ArtifactFile(model.name, model, digest_file(model)),), 3)
    arms = [ArmRequest("a", artifact, _QUICK)]
    ledger = RunLedger(tmp_path / "ledger", durable=False)
    workload = Workload(lambda info: arms, None, "none", None, ledger, rules=Rules(holder="tests"))
    device = InventoryDevice("pi5", address)
    (measured,) = await measure_on(device, tmp_path, workload, lambda progress: None)
    ledger.close()
    assert measured.raw.failure is None
    # README.md: with TLS 52 to 53 MB.
    assert psutil.Process(agent.pid).memory_info().rss < 55e6


def test_without_an_identity_it_loads_no_tls_of_python(start_agent: Any, connect: Any) -> None:
    agent = start_agent()
    connect(agent.address).info()
    loaded = [each.path for each in psutil.Process(agent.pid).memory_maps()]
    assert any("cygrpc" in path for path in loaded)
    assert not [path for path in loaded if "_ssl" in path]


def test_serving_imports_no_numpy_and_no_runtime() -> None:
    code = f"import sys, trimtab_agent.server; print([m for m in {_FORBIDDEN} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("listen", ["0.0.0.0:1", "[::]:1", "192.0.2.7:50051", "nonsense", "unix:"])
def test_only_a_socket_or_loopback_may_be_bound(listen: str, tmp_path: Path) -> None:
    done = run_agent("serve", "--listen", listen, "--state", str(tmp_path))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_a_loopback_port_is_served(start_agent: Any, connect: Any) -> None:
    agent = start_agent("--name", "bench-pi", listen="127.0.0.1:0")
    assert not agent.address.endswith(":0")
    assert connect(agent.address).info().display_name == "bench-pi"


def test_two_agents_on_one_state_folder_or_socket_are_refused(
    start_agent: Any, tmp_path: Path
) -> None:
    agent = start_agent()
    other = run_agent("serve", "--listen", "127.0.0.1:0", "--state", str(agent.state))
    assert (other.returncode, len(other.stderr.splitlines())) == (2, 1)
    assert str(agent.pid) in other.stderr
    other = run_agent("serve", "--listen", agent.address, "--state", str(tmp_path))
    assert (other.returncode, len(other.stderr.splitlines())) == (2, 1)
    assert "listens there already" in other.stderr


def test_the_socket_is_private_and_a_stale_one_is_no_obstacle(
    start_agent: Any, connect: Any
) -> None:
    agent = start_agent()
    path = Path(agent.address.removeprefix("unix:"))
    assert path.stat().st_mode & 0o777 == 0o600
    agent.stop(signal.SIGKILL)
    assert path.exists()
    again = start_agent(listen=agent.address, state=agent.state)
    assert connect(again.address).info().agent_version


@pytest.mark.parametrize(("with_signal", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_stopping_in_the_middle_leaves_no_process_behind(
    start_agent: Any,
    connect: Any,
    make_spec: Any,
    mnist: bytes,
    with_signal: signal.Signals,
    code: int,
) -> None:
    agent = start_agent()
    client = connect(agent.address)
    spec = make_spec({"m": (client.upload(mnist), "m.onnx")}, min_duration_s=20)
    job_id = client.submit(spec)
    next(event for event in client.watch(job_id) if event.phase == benchmark_pb2.PHASE_MEASURE)
    children = psutil.Process(agent.pid).children(recursive=True)
    assert children
    assert agent.stop(with_signal) == code
    assert not [child for child in children if child.is_running()]
    assert not Path(agent.address.removeprefix("unix:")).exists()

    client = connect(start_agent(state=agent.state).address)
    job = client.job(job_id)
    assert job.state == Job.STATE_FAILED
    assert status_to_failure(job.error).failure_class == "device"


def test_results_outlive_the_agent_and_unfinished_jobs_say_why(
    start_agent: Any, connect: Any, make_spec: Any, mnist: bytes
) -> None:
    agent = start_agent()
    client = connect(agent.address)
    models = {"m": (client.upload(mnist), "m.onnx")}
    finished = client.submit(make_spec(models, repeats=1))
    events = list(client.watch(finished))
    cut_off = client.submit(make_spec(models, min_duration_s=20))
    next(event for event in client.watch(cut_off) if event.phase == benchmark_pb2.PHASE_MEASURE)
    worker = psutil.Process(agent.pid).children()[0]
    agent.stop(signal.SIGKILL)

    client = connect(start_agent(state=agent.state).address)
    assert list(client.watch(finished)) == events
    *before, last = client.watch(cut_off)
    assert [event.sequence for event in before] == list(range(1, last.sequence))
    job = last.job_finished.job
    assert job.state == Job.STATE_FAILED
    assert status_to_failure(job.error).failure_class == "device"
    assert "the agent stopped" in job.error.message
    worker.wait(timeout=10)  # it dies with its agent

    acknowledge = benchmark_pb2.AcknowledgeJobRequest(job_id=finished)
    client.benchmark.AcknowledgeJob(acknowledge)
    request = benchmark_pb2.ListJobsRequest(page_size=1)
    first = client.benchmark.ListJobs(request)
    assert [job.job_id for job in first.jobs] == [cut_off]
    request.page_token = first.next_page_token
    second = client.benchmark.ListJobs(request)
    assert [(job.job_id, job.acknowledged) for job in second.jobs] == [(finished, True)]
    assert not second.next_page_token


def test_missing_external_data_is_named(client: Any, make_spec: Any, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    import numpy as np

    weight = numpy_helper.from_array(np.ones((64, 64), np.float32), "w")
    shape = [1, 64]
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, shape)],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path / "m.onnx"
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    digests = {
        name: client.upload((tmp_path / name).read_bytes()) for name in ("m.onnx", "weights.bin")
    }

    spec = make_spec(
        {"alone": (digests["m.onnx"], "m.onnx"), "whole": (digests["m.onnx"], "m.onnx")}
    )
    spec.arms[1].files.add(name="weights.bin", digest=digests["weights.bin"])
    alone, whole = client.finished(client.submit(spec)).result.arms
    assert status_to_failure(alone.error).failure_class == "model"
    assert "weights.bin" in alone.error.message
    assert whole.sample_count > 0


def test_what_is_not_served_yet_says_so(client: Any, error_of: Any) -> None:
    spec = benchmark_pb2.BenchmarkSpec(sensors=["a rail of one's choice"])
    error = error_of(lambda: client.submit(spec))
    assert isinstance(error, NotServed)
    assert error.code == grpc.StatusCode.UNIMPLEMENTED


def test_it_tells_what_it_is_doing_until_nobody_listens(client: Any, error_of: Any) -> None:
    request = device_pb2.WatchTelemetryRequest(sensors=["cpu_busy", "memory_available_mb"])
    request.period.FromMilliseconds(500)
    stream = client.device.WatchTelemetry(request)
    told = [next(stream) for _ in range(4)]
    stream.cancel()
    assert [each.sensor for each in told] == ["memory_available_mb", "cpu_busy"] * 2
    assert all(0 <= each.value <= 1 for each in told if each.sensor == "cpu_busy")
    first, second = told[0].boot_time_ns, told[2].boot_time_ns
    assert 0.4e9 < second - first < 5e9
    wrong = device_pb2.WatchTelemetryRequest(sensors=["horsepower"])
    error = error_of(lambda: list(client.device.WatchTelemetry(wrong)))
    assert isinstance(error, SpecInvalid)
    assert "'horsepower' is none of power_w" in error.message


def test_info_prints_only_its_json() -> None:
    done = run_agent("info", "--format", "json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["machine_arch"]
