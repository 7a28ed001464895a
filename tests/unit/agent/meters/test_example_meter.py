"""The documented third-party meter does what it says, loaded as the agent loads any other."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import tomllib
from trimtab_agent.probes.base import Probe, Sensor, SensorError

FOLDER = Path(__file__).resolve().parents[4] / "deploy" / "example-meter"


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> Iterator[Probe]:
    project = tomllib.loads((FOLDER / "pyproject.toml").read_text())["project"]
    ((name, value),) = project["entry-points"]["trimtab.probes"].items()
    monkeypatch.syspath_prepend(str(FOLDER))
    loaded = EntryPoint(name, value, "trimtab.probes").load()()
    assert isinstance(loaded, Probe)
    assert loaded.name == name
    yield loaded
    sys.modules.pop("trimtab_example_meter", None)


@pytest.fixture
def meter(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("EXAMPLE_METER", f"127.0.0.1:{server.getsockname()[1]}")
        yield server


def connected(probe: Probe, server: socket.socket, first: bytes) -> tuple[Sensor, socket.socket]:
    """The first line waits in the server's queue until the sensor connects."""
    held: list[socket.socket] = []

    def accept() -> None:
        stream, _ = server.accept()
        stream.sendall(first)
        held.append(stream)

    thread = threading.Thread(target=accept)
    thread.start()
    (sensor,) = probe.discover(Path("/"))
    thread.join()
    return sensor, held[0]


def failing(sensor: Sensor) -> str:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            sensor.read()
        except SensorError as error:
            return str(error)
        time.sleep(0.01)
    raise AssertionError("it went on reading")


def test_it_is_off_unless_asked_for(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EXAMPLE_METER", raising=False)
    assert probe.discover(Path("/")) == []


def test_it_reads_what_the_meter_tells_and_is_opened_once(
    probe: Probe, meter: socket.socket
) -> None:
    sensor, stream = connected(probe, meter, b"100.5\n")
    with stream:
        assert (sensor.info.unit, sensor.info.kind, sensor.info.role) == ("mJ", "counter", "total")
        assert sensor.read() == 100.5
        assert probe.discover(Path("/")) == [sensor]
        stream.sendall(b"250\n")
        until = time.monotonic() + 10
        while sensor.read() != 250.0 and time.monotonic() < until:
            time.sleep(0.01)
        assert sensor.read() == 250.0


@pytest.mark.parametrize("last", [b"", b"garbage\n"])
def test_a_stream_that_ends_or_breaks_never_answers_again(
    probe: Probe, meter: socket.socket, last: bytes
) -> None:
    sensor, stream = connected(probe, meter, b"100\n")
    with stream:
        stream.sendall(last)
    assert "example_meter/energy" in failing(sensor)
    again, stream = connected(probe, meter, b"7\n")
    with stream:
        assert again.read() == 7.0
        assert failing(sensor)


def test_a_meter_that_is_not_there_is_a_reason(
    probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXAMPLE_METER", "nowhere")
    (sensor,) = probe.discover(Path("/"))
    assert sensor.info.unavailable_reason.startswith("no meter answers at nowhere")
