"""What is said of certificates that soon expire."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from trimtab.fleet.identity import expiry
from trimtab.fleet.identity.certificates import Whose
from trimtab.fleet.identity.probe import Seen

_END = datetime(2027, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def nothing_noted() -> Iterator[None]:
    expiry.told()
    yield
    expiry.told()


def _until(end: datetime) -> Seen:
    return Seen(end - timedelta(days=365), end)


def test_each_thing_is_said_once_however_often_it_was_noted() -> None:
    for _ in range(3):
        expiry.note_device("pi5", _until(_END))
        expiry.note_own(
            Whose("f", "viewer", "ann", _END - timedelta(365), datetime.max.replace(tzinfo=UTC))
        )
    assert expiry.told() == [
        "this host's identity, ann (viewer), ends on 9999-12-31 23:59 UTC: "
        "no device lets it in after that",
        "  on the host that has the fleet's authority: trimtab fleet viewer ann",
        "  then here: trimtab fleet join ann.identity",
        "pi5: its certificate ends on 2027-03-01 12:00 UTC: no host connects after that",
        "  the host that has the fleet's authority renews it when it next connects; at once there:",
        "  trimtab fleet rotate pi5",
    ]
    assert expiry.told() == []


def test_many_devices_are_one_line() -> None:
    for number in range(7):
        expiry.note_device(f"pi-{number}", _until(_END - timedelta(days=number)))
    first, _, command = expiry.told()
    assert first == (
        "pi-6, pi-5, pi-4, pi-3, pi-2 and 2 more: their certificates end soon, the first on "
        "2027-02-23 12:00 UTC: no host connects after that"
    )
    assert command == "  trimtab fleet rotate"


def test_who_should_have_renewed_says_why_it_did_not() -> None:
    expiry.note_device("pi5", _until(_END), not_renewed="the device cannot write its file")
    expiry.note_device("pi4", _until(_END))
    lines = expiry.told()
    assert lines[0].startswith("pi4: its certificate ends on")
    assert lines[3:] == [
        "pi5: its certificate ends on 2027-03-01 12:00 UTC: no host connects after that",
        "  renewing it failed: the device cannot write its file",
        "  trimtab fleet rotate pi5",
    ]
    own = Whose("f", "operator", "host", _END - timedelta(365), datetime(2026, 1, 1, tzinfo=UTC))
    expiry.note_own(own, "Read-only file system")
    said, why = expiry.told()
    assert "host (operator), ended on 2026-01-01" in said
    assert why == "  renewing it failed: Read-only file system"
