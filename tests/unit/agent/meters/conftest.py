"""Stand-ins for the meters' libraries: the calls that are used, playing back what was recorded."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from trimtab_agent.meters.probe import close_all

SwitchOn = Callable[[dict[str, object]], Path]


@pytest.fixture(autouse=True)
def closed_afterwards() -> Iterator[None]:
    yield
    close_all()


@pytest.fixture
def switch_on(tmp_path: Path) -> SwitchOn:
    """Writes meters.json; returns the root to hand in."""

    def write(meters: dict[str, object]) -> Path:
        folder = tmp_path / "etc/trimtab-agent"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "meters.json").write_text(json.dumps(meters))
        return tmp_path

    return write


class FakeJoulescope:
    """The Driver of pyjoulescope_driver with one JS220, whose statistics a test sends."""

    def __init__(self) -> None:
        self.paths = ["u/js220/001122"]
        self.range_mode: object = 1
        self.broken: Exception | None = None
        self.first_energy_j: float | None = 5.0
        self.calls: list[tuple[Any, ...]] = []
        self.listeners: dict[str, Callable[[str, Any], None]] = {}

    def module(self) -> ModuleType:
        module = ModuleType("pyjoulescope_driver")
        module.Driver = lambda: self  # type: ignore[attr-defined]
        return module

    def device_paths(self) -> list[str]:
        return self.paths

    def open(self, path: str, mode: str | None = None) -> None:
        if self.broken is not None:
            raise self.broken
        self.calls.append(("open", path, mode))

    def query(self, topic: str) -> object:
        assert topic == "u/js220/001122/s/i/range/mode"
        return self.range_mode

    def publish(self, topic: str, value: object) -> None:
        self.calls.append(("publish", topic, value))

    def subscribe(self, topic: str, flags: str, fn: Callable[[str, Any], None]) -> None:
        assert flags == "pub"
        self.listeners[topic] = fn
        if topic.endswith("/s/stats/value") and self.first_energy_j is not None:
            self.send(self.first_energy_j)

    def unsubscribe(self, topic: str, fn: Callable[[str, Any], None]) -> None:
        assert self.listeners.pop(topic) is fn

    def close(self, path: str) -> None:
        self.calls.append(("close", path))

    def finalize(self) -> None:
        self.calls.append(("finalize",))

    def send(self, energy_j: float, began_at: int = 42) -> None:
        """One message as binding.pyx makes them, as far as it is used."""
        message = {
            "time": {"accum_samples": {"value": [began_at, began_at + 20_000], "units": "samples"}},
            "accumulators": {"energy": {"value": energy_j, "units": "J"}},
        }
        self.send_raw(message)

    def send_raw(self, message: object) -> None:
        topic = "u/js220/001122/s/stats/value"
        self.listeners[topic](topic, message)


@pytest.fixture
def joulescope(monkeypatch: pytest.MonkeyPatch) -> FakeJoulescope:
    fake = FakeJoulescope()
    monkeypatch.setitem(sys.modules, "pyjoulescope_driver", fake.module())
    return fake


def words(values: list[tuple[int, int]], first: int = 0) -> bytes:
    """Samples as the instrument sends them: (converter value, range), the counter running."""
    packed = (
        adc | measuring_range << 14 | (number % 64) << 18
        for number, (adc, measuring_range) in enumerate(values, first)
    )
    return b"".join(word.to_bytes(4, "little") for word in packed)


class FakePpk2:
    """PPK2_API of ppk2_api 0.9.2 with one instrument; ``data`` is what get_data returns in turn."""

    def __init__(self) -> None:
        self.ports: list[object] = ["/dev/ttyACM0"]
        self.calls: list[tuple[Any, ...]] = []
        self.data: list[bytes | Exception] = []
        self.calibrated: object = True
        self.adc_mult = 1.8 / 163840
        self.exhausted = threading.Event()
        self.modifiers: dict[str, Any] = {
            "R": {"0": 1031.64, "1": 101.65, "2": 10.15, "3": 0.94, "4": 0.043},
            **{name: dict.fromkeys("01234", 1) for name in ("GI", "UG")},
            **{name: dict.fromkeys("01234", 0) for name in ("GS", "O", "S", "I")},
        }
        self.ser = self
        self._measuring = False

    def module(self) -> ModuleType:
        fake = self

        class Api:
            @staticmethod
            def list_devices() -> list[object]:
                return fake.ports

            def __new__(cls, port: str, **settings: object) -> Any:
                fake.calls.append(("port", port, settings))
                return fake

        module = ModuleType("ppk2_api.ppk2_api")
        module.PPK2_API = Api  # type: ignore[attr-defined]
        return module

    def __getattr__(self, name: str) -> Callable[..., object]:
        if name not in {
            "set_source_voltage",
            "use_source_meter",
            "use_ampere_meter",
            "toggle_DUT_power",
            "close",
        }:
            raise AttributeError(name)
        return lambda *arguments: self.calls.append((name, *arguments))

    def get_modifiers(self) -> object:
        return self.calibrated

    def start_measuring(self) -> None:
        self._measuring = True

    def stop_measuring(self) -> None:
        self._measuring = False

    def get_data(self) -> bytes:
        if not self._measuring or not self.data:
            if self._measuring:
                self.exhausted.set()
            return b""
        chunk = self.data.pop(0)
        if isinstance(chunk, Exception):
            raise chunk
        return chunk

    def names(self) -> list[str]:
        return [call[0] for call in self.calls]


@pytest.fixture
def ppk2(monkeypatch: pytest.MonkeyPatch) -> FakePpk2:
    fake = FakePpk2()
    monkeypatch.setitem(sys.modules, "ppk2_api", ModuleType("ppk2_api"))
    monkeypatch.setitem(sys.modules, "ppk2_api.ppk2_api", fake.module())
    return fake


@pytest.fixture
def samples() -> Callable[..., bytes]:
    return words
