"""One guest for all the tests here, and the command line that measures on it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from devices.guest.chips import plug_in, reset
from devices.guest.machine import Guest
from devices.guest.requirements import GuestUnavailable

Trimtab = Callable[..., subprocess.Popen[str]]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "devices: needs an emulated device, and minutes")


@pytest.fixture(scope="session")
def running_guest() -> Iterator[Guest]:
    try:
        with Guest() as guest:
            plug_in(guest)
            guest.start_agent()
            yield guest
    except GuestUnavailable as missing:
        pytest.skip(f"no guest: {missing}")


@pytest.fixture
def guest(running_guest: Guest) -> Guest:
    """Its chips tell the same at the beginning of every test."""
    reset(running_guest)
    return running_guest


@pytest.fixture
def trimtab(guest: Guest, tmp_path: Path) -> Iterator[Trimtab]:
    """Starts ``trimtab ARGUMENTS...`` in a home of its own, in which the guest is "guest"."""
    environment = {**os.environ, "TRIMTAB_HOME": str(tmp_path / "home"), "COLUMNS": "140"}
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "trimtab", *map(str, arguments)],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    _, said = start("devices", "add", "guest", guest.address).communicate(timeout=60)
    assert started[0].returncode == 0, said
    yield start
    for process in started:
        with process:  # closes its pipes
            process.kill()
