"""What an agent says neither steers the terminal, nor forges a line, nor breaks the output."""

from __future__ import annotations

import asyncio
import json
import math
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from click.testing import CliRunner
from grpc.aio import AioRpcError, Metadata
from trimtab.cli import cli
from trimtab.fleet import convert
from trimtab.fleet.errors import DeviceUnreachable, translated
from trimtab.fleet.inventory import home_inventory
from trimtab.fleet.telemetry import moments
from trimtab_protos.errors import (
    DETAILS_KEY,
    Failure,
    InternalError,
    LeaseHeld,
    TrimtabError,
    error_to_status,
    failure_to_status,
)
from trimtab_protos.v1 import benchmark_pb2, device_pb2, device_pb2_grpc, doctor_pb2
from trimtab_protos.v1 import doctor_pb2_grpc as doctor_grpc

STEERING = "\x1b]0;OWNED\x07"
FORGED = "Debian\nadded evil: a line of its own"


class _Device(device_pb2_grpc.DeviceServiceServicer):
    async def GetDeviceInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        info = device_pb2.DeviceInfo(
            device_id=f"x{STEERING}",
            board_model=f"[/x]Pi{STEERING}",
            os_release=FORGED,
            tuning={f"[/k]{STEERING}": "v"},
            runtimes=[device_pb2.RuntimeInfo(name=f"[/r]{STEERING}")],
            sensors=[device_pb2.SensorInfo(name=f"[/s]{STEERING}")],
            features=["status"],
        )
        return device_pb2.GetDeviceInfoResponse(device_info=info)

    async def GetDeviceStatus(self, request: Any, context: Any) -> Any:  # noqa: N802
        status = device_pb2.DeviceStatus(waiting_holders=[f"w{STEERING}"])
        status.lease.holder = f"h{STEERING}"
        return device_pb2.GetDeviceStatusResponse(status=status)

    async def WatchTelemetry(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        for moment in range(1, 20):
            for name, value in (("power_w", math.nan), ("temperature_c", 50.0)):
                yield device_pb2.WatchTelemetryResponse(
                    sensor=name, boot_time_ns=moment, value=value
                )
            await asyncio.sleep(0.2)


class _Doctor(doctor_grpc.DoctorServiceServicer):
    async def Examine(self, request: Any, context: Any) -> Any:  # noqa: N802
        finding = doctor_pb2.Finding(
            name=f"n{STEERING}",
            outcome=doctor_pb2.Finding.OUTCOME_WARNING,
            seen=f"seen{STEERING}",
            advice=FORGED,
        )
        return doctor_pb2.ExamineResponse(findings=[finding])


@pytest.fixture
def rogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an agent that means ill."""
    socket = tmp_path_factory.mktemp("r") / "a.sock"
    loop, ready = asyncio.new_event_loop(), threading.Event()
    stopped = asyncio.Event()

    async def serve() -> None:
        server = grpc.aio.server()
        device_pb2_grpc.add_DeviceServiceServicer_to_server(_Device(), server)  # type: ignore[abstract]
        doctor_grpc.add_DoctorServiceServicer_to_server(_Doctor(), server)
        server.add_insecure_port(f"unix:{socket}")
        await server.start()
        ready.set()
        await stopped.wait()
        await server.stop(0)

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(20)
    yield f"unix:{socket}"
    loop.call_soon_threadsafe(stopped.set)
    thread.join()
    loop.close()


@pytest.fixture
def said(rogue: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """``said("devices", "list", ...)``: what is printed of it."""
    monkeypatch.setenv("TRIMTAB_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "300")
    home_inventory().add("evil", rogue, {})

    def run(*arguments: str) -> str:
        outcome = CliRunner().invoke(cli, arguments, standalone_mode=False)
        assert outcome.exception is None, outcome.exception
        return outcome.stdout

    return run


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (("list", "evil"), "[/x]Pi"),
        (("info", "evil"), "[/r]"),
        (("top", "evil", "--once"), "50 °C"),
        (("doctor", "evil"), "seen"),
    ],
)
def test_no_table_is_steered_or_has_a_forged_line(
    said: Callable[..., str], arguments: tuple[str, ...], shown: str
) -> None:
    text = said("devices", *arguments)
    assert shown in text
    assert "\x1b" not in text
    assert "\x07" not in text
    assert not [line for line in text.splitlines() if line.startswith("added evil")]


def test_what_is_no_number_leaves_the_look_for_programs_whole(said: Callable[..., str]) -> None:
    (device,) = json.loads(said("devices", "top", "evil", "--once", "--format", "json"))["devices"]
    assert device["telemetry"]["power_w"] is None
    assert device["telemetry"]["temperature_c"] == 50.0
    assert device["holder"] == "h?]0;OWNED?"


async def test_a_moment_has_only_numbers() -> None:
    class Client:
        async def telemetry(self, period_s: float) -> AsyncIterator[tuple[str, int, float]]:
            for name, moment, value in (
                ("power_w", 1, math.inf),
                ("temperature_c", 1, 50.0),
                ("power_w", 2, math.nan),
                ("power_w", 3, 4.0),
                ("power_w", 4, 5.0),
            ):
                yield name, moment, value

    client: Any = Client()
    told = [dict(each) async for each in moments(client, 1.0)]
    assert told == [{"temperature_c": 50.0}, {"power_w": 4.0}]


def test_what_a_job_says_is_one_line() -> None:
    log = benchmark_pb2.JobEvent(arm=f"a{STEERING}")
    log.log_line.text = FORGED + STEERING
    update = convert.job_update(log)
    assert update.log is not None
    assert update.log[1].isprintable()
    assert update.arm == "a?]0;OWNED?"

    ended = benchmark_pb2.JobEvent()
    ended.job_finished.job.error.CopyFrom(failure_to_status(Failure("model", FORGED + STEERING)))
    failure = convert.job_update(ended).failure
    assert failure is not None
    assert failure.message.isprintable()

    result = benchmark_pb2.ArmResult(
        arm="a", checks=[benchmark_pb2.ValidityCheck(seen=STEERING, advice=FORGED)]
    )
    finished = benchmark_pb2.JobEvent(arm_finished=benchmark_pb2.ArmFinished(result=result))
    outcome = convert.job_update(finished).outcome
    assert outcome is not None
    assert outcome.checks[0].seen.isprintable()
    assert outcome.checks[0].advice.isprintable()


def _refused(error: TrimtabError) -> AioRpcError:
    details = error_to_status(error).SerializeToString()
    return AioRpcError(error.code, Metadata(), Metadata((DETAILS_KEY, details)))


def test_a_refusal_is_one_line_with_its_metadata() -> None:
    with pytest.raises(LeaseHeld) as caught, translated("pi5"):
        raise _refused(LeaseHeld(FORGED + STEERING, holder=f"ann{STEERING}"))
    assert caught.value.message.isprintable()
    assert str(caught.value).isprintable()
    assert caught.value.metadata == {"holder": "ann?]0;OWNED?"}


def _with_a_key_of_ours() -> bytes:
    """What no agent of ours sends: the metadata's key is the exception's own argument."""
    error = LeaseHeld("held")
    error.metadata = {"message": "x"}
    return bytes(error_to_status(error).SerializeToString())


@pytest.mark.parametrize("details", [b"\xff\xff", _with_a_key_of_ours()])
def test_damaged_details_are_none(details: bytes) -> None:
    trailing = Metadata((DETAILS_KEY, details))
    status = AioRpcError(grpc.StatusCode.UNKNOWN, Metadata(), trailing, details=STEERING)
    with pytest.raises(InternalError) as caught, translated("pi5"):
        raise status
    assert str(caught.value).isprintable()


def test_a_proxys_word_is_one_line() -> None:
    gone = AioRpcError(grpc.StatusCode.UNAVAILABLE, Metadata(), Metadata(), details=STEERING)
    with pytest.raises(DeviceUnreachable) as caught, translated("pi5"):
        raise gone
    assert str(caught.value).isprintable()
