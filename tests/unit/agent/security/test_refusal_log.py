"""A stranger that knocks ten thousand times is ten thousand refusals, and a few lines."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from trimtab_agent.config import NetworkAddress
from trimtab_agent.security.front import Front
from trimtab_agent.security.identity import load_identity
from trimtab_agent.security.refusal_log import FURTHER, MOST, PERIOD_S, RefusalLog

_NO_CERTIFICATE = "it shows no certificate"
_NO_TLS = "it does not speak TLS"


class Minutes:
    """A log whose time is turned by hand."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self.now = 1000.0
        self.refusals = RefusalLog(logging.getLogger("test"), lambda: self.now)
        self._caplog = caplog

    def lines(self) -> list[str]:
        """Since this was last asked."""
        found = [record.getMessage() for record in self._caplog.records]
        self._caplog.clear()
        return found


@pytest.fixture
def minutes(caplog: pytest.LogCaptureFixture) -> Minutes:
    return Minutes(caplog)


def test_the_same_is_told_once_a_minute_with_how_often_it_was(minutes: Minutes) -> None:
    for _ in range(10_000):
        minutes.refusals.tell("10.0.0.9", _NO_CERTIFICATE)
        minutes.now += PERIOD_S / 10_001
    assert minutes.lines() == [f"refused 10.0.0.9: {_NO_CERTIFICATE}"]

    minutes.now += 15
    minutes.refusals.tell("10.0.0.9", _NO_CERTIFICATE)
    assert minutes.lines() == [
        f"refused 10.0.0.9: {_NO_CERTIFICATE} (10000 times in the last 75 s)"
    ]
    minutes.now += PERIOD_S
    minutes.refusals.tell("10.0.0.9", _NO_CERTIFICATE)
    assert minutes.lines() == [f"refused 10.0.0.9: {_NO_CERTIFICATE}"], "none was left out"


def test_another_reason_and_another_address_have_lines_of_their_own(minutes: Minutes) -> None:
    told = [("10.0.0.9", _NO_CERTIFICATE), ("10.0.0.9", _NO_TLS), ("10.0.0.8", _NO_TLS)]
    for who, why in told * 3:
        minutes.refusals.tell(who, why)
    assert minutes.lines() == [f"refused {who}: {why}" for who, why in told]


def test_strangers_from_ever_new_addresses_are_told_together(minutes: Minutes) -> None:
    for number in range(10_000):
        minutes.refusals.tell(f"2001:db8::{number:x}", _NO_TLS)
    lines = minutes.lines()
    assert len(lines) == MOST + 1
    assert lines[-1] == f"refused {FURTHER}: {_NO_TLS}"

    minutes.now += PERIOD_S
    minutes.refusals.tell("2001:db8::ffff:1", _NO_TLS)
    left = 10_000 - MOST - 1
    assert minutes.lines() == [
        f"refused {FURTHER}: {_NO_TLS} ({left} times in the last 60 s)",
        f"refused 2001:db8::ffff:1: {_NO_TLS}",
    ]


def test_what_was_left_out_is_told_at_the_end(minutes: Minutes) -> None:
    for _ in range(5):
        minutes.refusals.tell("10.0.0.9", _NO_TLS)
    minutes.refusals.tell("10.0.0.8", _NO_TLS)
    minutes.lines()
    minutes.now += 3
    minutes.refusals.tell_left_out()
    assert minutes.lines() == [f"refused 10.0.0.9: {_NO_TLS} (4 times in the last 3 s)"]


def test_a_real_front_counts_all_and_tells_few(
    bundle_file: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    knocks = 300

    async def knock_on(front: Front, port: int) -> None:
        for _ in range(knocks):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            while await reader.read(1000):
                pass
            writer.close()
            await writer.wait_closed()

    async def main() -> int:
        identity = load_identity(bundle_file())
        front = Front(identity, NetworkAddress("127.0.0.1", 0), Path("/nowhere/g"))
        port = int(front.bind().rpartition(":")[2])
        front.start()
        await asyncio.wait_for(knock_on(front, port), 120)
        await front.stop()
        return front.refused

    assert asyncio.run(main()) == knocks
    lines = [each.getMessage() for each in caplog.records if "refused" in each.getMessage()]
    assert lines[0] == f"refused 127.0.0.1: {_NO_TLS}"
    assert sum(int(each) for each in re.findall(r"\((\d+) times", "".join(lines))) == knocks - 1
    assert len(lines) <= 10, "a line a minute, and this takes seconds"
