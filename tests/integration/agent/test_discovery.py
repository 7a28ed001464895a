"""Agents that tell of themselves, found by a host: real mDNS on this machine's loopback."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from trimtab.fleet.discover import discover
from trimtab.records import UserError
from trimtab_agent.announce import Announcer, addresses_of
from trimtab_agent.config import ConfigError

pytest.importorskip("zeroconf", reason="zeroconf is missing")


async def test_an_announced_agent_is_found_with_its_name_and_address() -> None:
    device_id = uuid.uuid4().hex
    announcer = Announcer("pi5", "127.0.0.1", 7433, device_id)
    try:
        await announcer.start()
    except ConfigError as error:
        pytest.skip(f"multicast is impossible here: {error}")
    try:
        found = await discover(2.0, ("127.0.0.1",))
    finally:
        await announcer.stop()
    gone = await discover(1.0, ("127.0.0.1",))

    (mine,) = [each for each in found if each.device_id == device_id[:8]]
    assert (mine.name, mine.addresses, mine.port) == ("pi5", ("127.0.0.1",), 7433)
    assert mine.address == "tls://127.0.0.1:7433"
    assert not [each for each in gone if each.device_id == device_id[:8]]


async def test_where_nobody_tells_nothing_is_found() -> None:
    try:
        found = await discover(0.5, ("127.0.0.1",))
    except UserError as error:
        pytest.skip(f"multicast is impossible here: {error.message}")

    assert not [each for each in found if not each.name]


def test_an_agent_that_only_this_machine_reaches_is_not_announced(
    start_agent: Callable[..., Any],
) -> None:
    with pytest.raises(AssertionError, match="it listens on this machine alone"):
        start_agent("--announce")


def test_where_it_listens_on_all_addresses_loopback_is_not_told() -> None:
    try:
        found = addresses_of("0.0.0.0")  # noqa: S104 - nothing is bound
    except ConfigError as error:
        assert "no address beyond loopback" in str(error)  # noqa: PT017 - a machine without any
    else:
        assert found
        assert "127.0.0.1" not in found
    assert addresses_of("127.0.0.1") == ("127.0.0.1",)
