"""The same over mutual TLS: a connection that is made anew must prove itself anew."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from random import Random

import grpc
import pytest
from fuzz.target import chosen_seed
from supervised_agents import SupervisedAgent, wait_until
from system.faults.kit import TwelveJobs
from system.faults.test_faults import Strike, cut, kill_a_worker, kill_agent, kill_host, survive
from trimtab.fleet.identity.authority import Authority, open_authority
from trimtab.fleet.identity.bundle import write_private
from trimtab.fleet.identity.folder import FleetFolder


class TlsAgent(SupervisedAgent):
    """On one port of this machine, also after it was started anew."""

    def __init__(self, folder: Path, name: str, authority: Authority) -> None:
        bundle = folder / f"{name}.identity"
        write_private(bundle, authority.issue("device", name).pem())
        super().__init__(folder, name, ("--identity", str(bundle)))
        self._port = _free_port()
        self._watcher = authority.issue("viewer", f"watcher-{name}")

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    def reached_at(self, place: str) -> str:
        return f"tls://{place}"

    def open_channel(self) -> grpc.Channel:
        credentials = grpc.ssl_channel_credentials(
            self._watcher.authority, self._watcher.key, self._watcher.certificate
        )
        options = [("grpc.ssl_target_name_override", self.name)]
        return grpc.secure_channel(self.address, credentials, options)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@pytest.fixture
def agents(tmp_path: Path) -> Iterator[list[SupervisedAgent]]:
    """Of the fleet whose authority the run's host is."""
    authority = open_authority(FleetFolder(tmp_path / "host" / "home" / "fleet"))
    with contextlib.ExitStack() as stack:
        started: list[SupervisedAgent] = []
        for number in range(1, 4):
            started.append(TlsAgent(tmp_path, f"b{number}", authority))
            started[-1].start()
            stack.callback(started[-1].stop)
        yield started


def test_a_host_that_is_killed_and_a_line_that_is_cut_cost_nothing(run: TwelveJobs) -> None:
    random = Random(chosen_seed(default=3))
    run.begin()
    wait_until(lambda: run.is_over or run.events() >= 20)
    cut(run, random)
    wait_until(lambda: run.is_over or run.events() >= 50)
    assert not run.is_over, "the moment came too late"
    kill_host(run, random)
    run.check(run.end())


@pytest.mark.slow
@pytest.mark.parametrize("strike", [kill_agent, kill_a_worker], ids=lambda each: each.__name__)
def test_what_is_killed_costs_nothing_that_was_finished(run: TwelveJobs, strike: Strike) -> None:
    survive(run, strike, Random(chosen_seed(default=4)), moment=30)
