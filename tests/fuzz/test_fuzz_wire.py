"""Bytes that are no gRPC, or nearly: the agent drops them and goes on serving."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random

import grpc
import pytest
from fuzz.methods import all_methods
from fuzz.samples import MODEL, digest_of, quick_spec, sample_of
from fuzz.target import Held, Target, chosen_seed, tell
from fuzz.wire import PREFACE, call_frames, mutated_exchange
from supervised_agents import wait_until
from trimtab_protos.v1 import benchmark_pb2, device_pb2

_SHORT = 300
_LONG = 20_000
_AFTER = 2000
_ANSWER_S = 0.02
_REPLACED_WITHIN_S = 20
_SLOW_COUNT, _SLOW_STEPS = 30, 40
_LISTEN = {"socket": None, "port": "127.0.0.1:0"}


def connected(address: str) -> socket.socket:
    if address.startswith("unix:"):
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(address.removeprefix("unix:"))
        except OSError:
            connection.close()
            raise
    else:
        host, _, port = address.rpartition(":")
        connection = socket.create_connection((host, int(port)), timeout=10)
    connection.settimeout(_ANSWER_S)
    return connection


def connected_soon(address: str) -> socket.socket:
    """Nobody listens for the moment in which gRPC's server is made anew."""
    for _ in range(_REPLACED_WITHIN_S * 10):
        with contextlib.suppress(OSError):
            return connected(address)
        time.sleep(0.1)
    return connected(address)


def listens(address: str) -> bool:
    try:
        connected(address).close()
    except OSError:
        return False
    return True


def throw(address: str, data: bytes) -> None:
    """Send it, read what comes at once, hang up. The agent may hang up first."""
    with contextlib.closing(connected_soon(address)) as connection, contextlib.suppress(OSError):
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass


def bodies(job_id: str) -> Iterator[tuple[str, tuple[bytes, ...]]]:
    """A right request of each method, where there is one to begin with."""
    sample = sample_of((job_id,))
    for method in all_methods():
        if method.name == "Examine":
            continue
        known = sample.requests.get(method.request.DESCRIPTOR.name, (method.request(),))
        for message in known:
            yield method.path, (message.SerializeToString(),)


def throw_many(target: Target, count: int, seed: int, each: Callable[[int], None]) -> None:
    (job_id,) = target.prepare()
    right = list(bodies(job_id))
    for number in range(count):
        random = Random(f"{seed}-{number}")
        path, messages = random.choice(right)
        data = mutated_exchange(random, path, messages)
        throw(target.address, data)
        try:
            target.check_alive(attempts=6)
        except Exception as error:
            error.add_note(target.log_tail())
            error.add_note(f"after TRIMTAB_FUZZ_SEED={seed}, number {number}: {data[:400]!r}")
            raise
        each(number + 1)


@pytest.mark.parametrize("where", _LISTEN)
def test_wrong_bytes_do_no_harm(make_target: Callable[..., Target], where: str) -> None:
    target = make_target(listen=_LISTEN[where])
    throw_many(target, _SHORT, chosen_seed(default=11), lambda number: None)
    target.check_log()


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("where", _LISTEN)
def test_twenty_thousand_broken_connections_leave_nothing_behind(
    make_target: Callable[..., Target], where: str
) -> None:
    target = make_target(listen=_LISTEN[where])
    held: dict[int, Held] = {}

    def keep(number: int) -> None:
        if number in (_AFTER, _LONG):
            held[number] = target.held()

    throw_many(target, _LONG, chosen_seed(), keep)
    target.check_log()
    tell(held)
    early, late = held[_AFTER], held[_LONG]
    assert late.memory_bytes < 1.1 * early.memory_bytes
    assert late.files <= early.files + 2


def test_what_is_thrown_is_right_before_it_is_changed(target: Target) -> None:
    """The frames themselves make a call that is answered: else the rest would prove nothing."""
    request = device_pb2.GetDeviceInfoRequest().SerializeToString()
    frames = call_frames("/trimtab.v1.DeviceService/GetDeviceInfo", [request])
    with contextlib.closing(connected(target.address)) as connection:
        connection.settimeout(10)
        connection.sendall(PREFACE + b"".join(frame.encode() for frame in frames))
        got = b""
        while b"onnxruntime" not in got:
            piece = connection.recv(65536)
            assert piece, got
            got += piece


@pytest.mark.parametrize("where", _LISTEN)
def test_a_path_that_is_no_text_costs_a_connection_and_no_job(
    make_target: Callable[..., Target], where: str
) -> None:
    """gRPC's server for asyncio ends at such a call: the agent makes a new one."""
    target = make_target(listen=_LISTEN[where])
    target.prepare()
    spec = quick_spec(digest_of(MODEL))
    spec.policy.min_duration.FromMilliseconds(500)
    spec.policy.max_duration.FromMilliseconds(1000)
    job_id = target.submit("while gRPC breaks down", spec)
    watching = ThreadPoolExecutor(1)  # gRPC would wait for its end
    ended = watching.submit(target.end_of_watching, target.watch_telemetry())
    frames = call_frames("/trimtab.v1.Device\xff", [b""])
    data = PREFACE + b"".join(frame.encode() for frame in frames)
    for before in range(3):
        wait_until(lambda: listens(target.address), 20)  # a moment passes until it is made anew
        throw(target.address, data)
        wait_until(lambda least=before: target.log().count("is made anew") > least, 20)
        target.check_alive(attempts=6)
        assert ended.result(20) is grpc.StatusCode.UNAVAILABLE
    assert target.end_of(job_id).state == benchmark_pb2.Job.STATE_SUCCEEDED


def test_the_slow_keep_nobody_waiting(target: Target) -> None:
    """Connections that send a byte now and then, and stop in the middle, beside a job that runs."""
    target.prepare()
    spec = quick_spec(digest_of(MODEL))
    request = benchmark_pb2.SubmitJobRequest(request_id="slow", spec=spec)
    frames = call_frames("/trimtab.v1.BenchmarkService/SubmitJob", [request.SerializeToString()])
    data = PREFACE + b"".join(frame.encode() for frame in frames)
    with contextlib.ExitStack() as stack:
        waiting = [
            stack.enter_context(contextlib.closing(connected(target.address)))
            for _ in range(_SLOW_COUNT)
        ]
        for step in range(_SLOW_STEPS):
            for number, connection in enumerate(waiting):
                until = len(data) * number // _SLOW_COUNT  # none ever sends all of it
                piece = slice(until * step // _SLOW_STEPS, until * (step + 1) // _SLOW_STEPS)
                with contextlib.suppress(OSError):
                    connection.sendall(data[piece])
            target.check_alive()
        assert target.run_job("beside the slow") == benchmark_pb2.Job.STATE_SUCCEEDED
    target.check_log()
