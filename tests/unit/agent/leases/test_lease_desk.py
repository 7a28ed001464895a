"""A lease survives the agent and no reboot; a file that is no good means no lease."""

from __future__ import annotations

from pathlib import Path

import pytest
from trimtab_agent.leases import Ask, LeaseBook, LeaseDesk
from trimtab_agent.leases.records import MAX_TTL_NS, SECOND_NS
from trimtab_agent.leases.state_file import StateFile
from trimtab_protos.errors import LeaseExpired, LeaseHeld

ANN, BEN, CID = (Ask("", name, name) for name in ("ann", "ben", "cid"))
TTL = 30 * SECOND_NS


def desk(path: Path, now_ns: int = 0, boot_id: str = "this boot") -> LeaseDesk:
    return LeaseDesk(LeaseBook(lambda: now_ns), StateFile(path, boot_id))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "leases"


@pytest.fixture
def lease_id(path: Path) -> str:
    """Ann's, at 0; Ben waits for it before Cid does."""
    first = desk(path)
    lease_id = first.acquire(ANN, TTL).lease_id
    for ask in (BEN, CID):
        with pytest.raises(LeaseHeld):
            first.acquire(ask, TTL)
    return lease_id


def test_a_restart_keeps_the_lease_and_the_line(path: Path, lease_id: str) -> None:
    again = desk(path, 20 * SECOND_NS)
    assert again.check(lease_id).holder == "ann"
    assert again.book.remaining_ns(again.check(lease_id)) == 10 * SECOND_NS
    with pytest.raises(LeaseHeld) as caught:
        again.acquire(CID, TTL)
    assert caught.value.metadata["position"] == "2"
    again.release(lease_id)
    assert again.acquire(BEN, TTL).holder == "ben"


def test_a_lease_expires_while_the_agent_is_away(path: Path, lease_id: str) -> None:
    with pytest.raises(LeaseExpired):
        desk(path, TTL).check(lease_id)


def test_what_was_released_or_renewed_is_kept_as_that(path: Path, lease_id: str) -> None:
    desk(path, 20 * SECOND_NS).renew(lease_id, TTL)
    assert desk(path, 45 * SECOND_NS).check(lease_id)
    desk(path, 45 * SECOND_NS).release(lease_id)
    assert desk(path, 45 * SECOND_NS).book.lease is None


def test_a_reboot_ends_it(path: Path, lease_id: str) -> None:
    again = desk(path, boot_id="the next boot")
    assert again.book.lease is None
    assert again.book.waiting() == ()
    assert again.acquire(CID, TTL)


def test_a_clock_that_began_anew_is_noticed(path: Path) -> None:
    desk(path, now_ns=10 * MAX_TTL_NS).acquire(ANN, TTL)
    assert desk(path, now_ns=0).book.lease is None


def test_a_file_that_is_no_good_means_no_lease_and_a_line_in_the_log(
    path: Path, lease_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    whole = path.read_bytes()
    damaged = [whole[:length] for length in (0, 5, 9, 40, len(whole) - 1)]
    damaged += [bytes([*whole[:at], whole[at] ^ 1, *whole[at + 1 :]]) for at in (0, 12, 60)]
    damaged += [b"\xff\xfe", b"00000000\n[]", b"a3a6bf43\n{}", b"0d4cbb29\n[]"]
    for content in damaged:
        path.write_bytes(content)
        caplog.clear()
        assert desk(path).book.lease is None
        assert "nobody holds the device" in caplog.text
    path.write_bytes(whole)
    assert desk(path).check(lease_id)


def test_a_disk_that_takes_nothing_is_no_reason_to_refuse(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = desk(tmp_path / "no such folder" / "leases")
    lease = nowhere.acquire(ANN, TTL)
    assert nowhere.check(lease.lease_id) == lease
    assert "cannot be kept" in caplog.text
