"""A rogue answer on the network is left out, and hides nothing."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from trimtab.fleet.discover import SERVICE_TYPE, discover

zeroconf = pytest.importorskip("zeroconf")

LOOPBACK = "127.0.0.1"
ROGUE = ("evil.example.com.", f"\x1b[31m.{SERVICE_TYPE}", f"{'a' * 63}.b.{SERVICE_TYPE}")


async def _announce(network: Any) -> None:
    service = zeroconf.ServiceInfo(
        SERVICE_TYPE,
        f"pi5-0123abcd.{SERVICE_TYPE}",
        port=7433,
        parsed_addresses=[LOOPBACK],
        properties={"name": "pi5", "id": "0123abcd", "version": "0.1.0"},
        server="trimtab-0123abcd.local.",
    )
    answer = zeroconf.DNSOutgoing(zeroconf.const._FLAGS_QR_RESPONSE | zeroconf.const._FLAGS_AA)
    for name in ROGUE:
        pointer = zeroconf.DNSPointer(
            SERVICE_TYPE, zeroconf.const._TYPE_PTR, zeroconf.const._CLASS_IN, 4500, name
        )
        answer.add_answer_at_time(pointer, 0)
    records = (service.dns_pointer(), service.dns_service(), service.dns_text())
    for record in (*records, *service.dns_addresses()):
        answer.add_answer_at_time(record, 0)
    network.async_send(answer)


async def test_what_is_no_service_of_ours_hides_no_device(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "trimtab.fleet.discover")
    try:
        network = zeroconf.Zeroconf(interfaces=[LOOPBACK])
    except OSError as error:
        pytest.skip(f"multicast is impossible here: {error}")
    listening = asyncio.ensure_future(discover(1.5, (LOOPBACK,)))
    try:
        for _ in range(3):
            await asyncio.sleep(0.3)
            await _announce(network)
        found = await listening
    finally:
        await network._async_close()
    assert [each.name for each in found] == ["pi5"]
    assert "'evil.example.com.' is left out" in caplog.text
