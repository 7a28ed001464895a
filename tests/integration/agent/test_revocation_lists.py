"""The newest list reaches a device that was set up anew, and one that has a lost folder's list."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from trimtab.fleet.address import NetworkPlace
from trimtab.fleet.client import AgentClient
from trimtab.fleet.errors import IdentityProblem
from trimtab.fleet.identity.authority import Authority
from trimtab.fleet.identity.bundle import Bundle
from trimtab.fleet.identity.link import TlsLink
from trimtab.fleet.identity.probe import client_context
from trimtab.fleet.identity.remote import IdentityClient
from trimtab.fleet.identity.upkeep import renew, tell_revocations
from trimtab.fleet.identity.visits import tell_all
from trimtab.fleet.inventory_device import InventoryDevice
from trimtab_protos.errors import IdentityInvalid


class Pi5:
    def __init__(self, agent: Any) -> None:
        host, _, port = agent.address.rpartition(":")
        self._place = NetworkPlace(host, int(port))
        self.address = f"tls://{agent.address}"

    async def number(self) -> int:
        async with AgentClient("pi5", self.address) as host:
            return (await IdentityClient("pi5", host.channel).identity()).revocation_number

    async def refuses(self, bundle: Bundle) -> bool:
        try:
            await TlsLink("pi5", self._place, bundle).look()
        except IdentityProblem as problem:
            return "its identity is revoked" in str(problem)
        return False


@pytest.fixture
def serve_pi5(start_agent: Any, pi5_identity: str) -> Callable[[], tuple[Any, Pi5]]:
    def serve() -> tuple[Any, Pi5]:
        agent = start_agent("--identity", pi5_identity, listen="127.0.0.1:0")
        return agent, Pi5(agent)

    return serve


async def test_a_device_set_up_anew_with_its_first_file_gets_the_newest_list(
    serve_pi5: Any, authority: Authority, pi5_identity: str
) -> None:
    first = Path(pi5_identity).read_bytes()
    ann = authority.issue("operator", "ann")
    agent, pi5 = serve_pi5()
    authority.revoke("ann")
    assert await pi5.number() == 2
    agent.stop()
    Path(pi5_identity).write_bytes(first)
    agent, pi5 = serve_pi5()
    assert await pi5.number() == 2
    assert await pi5.refuses(ann)


@pytest.mark.parametrize("lost", [1, 3])
async def test_who_is_revoked_after_a_backup_was_restored_is_refused(
    serve_pi5: Any,
    authority: Authority,
    tmp_path: Path,
    lost: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The device has a list of the same number, or of a higher one."""
    caplog.set_level(logging.WARNING)
    fleet = tmp_path / "home" / "fleet"
    eve = authority.issue("operator", "eve")
    _, pi5 = serve_pi5()
    shutil.copytree(fleet, tmp_path / "backup")
    for number in range(lost):
        authority.issue("operator", f"lost-{number}")
        authority.revoke(f"lost-{number}")
    assert await pi5.number() == 1 + lost
    shutil.rmtree(fleet)
    shutil.copytree(tmp_path / "backup", fleet)

    authority.revoke("eve")
    assert await pi5.number() == 2 + lost
    assert await pi5.refuses(eve)
    assert "pi5 had a revocation list that is not in" in caplog.text
    assert authority.register.list_number == authority.register.told["pi5"] == 2 + lost


async def test_a_device_is_renewed_after_a_backup_was_restored(
    serve_pi5: Any, authority: Authority, tmp_path: Path
) -> None:
    fleet = tmp_path / "home" / "fleet"
    _, pi5 = serve_pi5()
    shutil.copytree(fleet, tmp_path / "backup")
    authority.issue("operator", "ann")
    authority.revoke("ann")
    assert await pi5.number() == 2
    shutil.rmtree(fleet)
    shutil.copytree(tmp_path / "backup", fleet)
    async with AgentClient("pi5", pi5.address) as host:
        await renew("pi5", host.channel)
    assert await pi5.number() == 3


async def test_a_device_may_not_drive_the_numbers_up(
    serve_pi5: Any, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, pi5 = serve_pi5()
    client = IdentityClient

    async def refuse(*_: object) -> int:
        raise IdentityInvalid("not taken", revocation_number=str(2**62))

    async def boast(self: IdentityClient) -> Any:
        return type("Told", (), {"revocation_number": 2**62})

    async with AgentClient("pi5", pi5.address) as host:
        monkeypatch.setattr(client, "update_revocations", refuse)
        monkeypatch.setattr(client, "identity", boast)
        with pytest.raises(IdentityInvalid, match="not taken"):
            await tell_revocations("pi5", host.channel)
    assert authority.register.list_number == 1


async def test_a_list_that_is_made_while_another_is_brought_comes_with_the_next_connection(
    serve_pi5: Any, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, pi5 = serve_pi5()
    ann, bob = (authority.issue("operator", name) for name in ("ann", "bob"))
    update = IdentityClient.update_revocations

    async def overtaken(self: IdentityClient, revocations: bytes) -> int:
        number = await update(self, revocations)
        authority.revoke("bob")  # as another process may
        return number

    authority.revoke("ann")
    with monkeypatch.context() as patch:
        patch.setattr(IdentityClient, "update_revocations", overtaken)
        assert await pi5.number() == 2
    assert await pi5.refuses(ann)
    assert not await pi5.refuses(bob)
    assert authority.register.told["pi5"] == 2
    assert await pi5.number() == 3
    assert await pi5.refuses(bob)


async def test_on_a_disk_that_takes_nothing_who_is_revoked_is_cut_off_and_the_host_is_told(
    start_agent: Any,
    authority: Authority,
    tmp_path: Path,
    pi5_identity: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    card = tmp_path / "card"
    card.mkdir()
    bundle = Path(pi5_identity).rename(card / "pi5.identity")
    ann = authority.issue("operator", "ann")
    agent = start_agent("--identity", str(bundle), listen="127.0.0.1:0")
    pi5 = Pi5(agent)
    host, _, port = agent.address.rpartition(":")
    anns, writer = await asyncio.open_connection(
        host, int(port), ssl=client_context(ann), server_hostname="pi5"
    )
    assert await anns.read(1)  # gRPC's server speaks first
    card.rename(tmp_path / "away")  # nothing can be written there, by root either
    authority.revoke("ann")

    told = await tell_all([InventoryDevice("pi5", pi5.address)])
    assert "revocation list 2 is in force, and not kept" in told["pi5"]
    assert "No such file" in told["pi5"]
    with contextlib.suppress(OSError):
        await asyncio.wait_for(anns.read(), timeout=10)  # until the device ends it
    writer.close()
    assert await pi5.refuses(ann)
    assert "pi5: its identity could not be looked after: revocation list 2 is in" in caplog.text
    assert "ERROR revocation list 2 is in force, and not kept" in agent.log.read_text()

    (tmp_path / "away").rename(card)
    assert await tell_all([InventoryDevice("pi5", pi5.address)]) == {}
    agent.stop()
    pi5 = Pi5(start_agent("--identity", str(bundle), listen="127.0.0.1:0"))
    assert await pi5.refuses(ann)
