"""The journal keeps what was appended, and cuts off what a power cut tore."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from trimtab_agent.journal import Journal

RECORDS: list[dict[str, Any]] = [
    {"sequence": 1, "text": "eins"},
    {"sequence": 2, "text": "zwei\nü"},
    {"sequence": 3},
]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "events.jsonl"
    journal = Journal(path)
    for record in RECORDS:
        journal.append(record)
    journal.sync()
    return path


def test_records_are_read_back_in_order(written: Path) -> None:
    journal = Journal(written)
    assert list(journal) == RECORDS
    assert journal.read(1) == RECORDS[1]
    assert len(journal) == 3


def test_a_record_can_be_read_as_soon_as_it_is_appended(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.append(RECORDS[0])
    assert journal.read(0) == RECORDS[0]
    with pytest.raises(IndexError):
        journal.read(1)


def test_a_record_torn_anywhere_is_cut_off_and_said(
    written: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = written.read_bytes()
    start = len(b"".join(whole.splitlines(keepends=True)[:2]))
    for end in range(start + 1, len(whole)):
        caplog.clear()
        written.write_bytes(whole[:end])
        journal = Journal(written)
        assert list(journal) == RECORDS[:2]
        assert f"cut off {end - start} bytes after record 2" in caplog.text
        journal.append({"sequence": 3, "text": "again"})
        assert list(Journal(written)) == [*RECORDS[:2], {"sequence": 3, "text": "again"}]


def test_whichever_bit_of_a_record_flips_what_stood_before_it_stays(
    written: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = written.read_bytes()
    first, second, _ = whole.splitlines(keepends=True)
    for place in range(len(first), len(first) + len(second)):
        for bit in range(8):
            caplog.clear()
            damaged = bytearray(whole)
            damaged[place] ^= 1 << bit
            written.write_bytes(damaged)
            assert list(Journal(written)) == RECORDS[:1], (place, bit)
            left = len(whole) - len(first)
            assert f"cut off {left} bytes after record 1, which are torn or damaged" in caplog.text
            assert written.read_bytes() == first


@pytest.mark.parametrize(
    "garbage",
    [
        b"\n",
        b"not a record\n",
        b"\x00" * 64,
        b"\xff" * 5000,
        b"00000000 {}\n",
        b"00000000 \n",
        b"0" * 9 + b"\n" + b"1234abcd\n",
    ],
)
def test_garbage_at_the_end_is_cut_off_and_said(
    written: Path, garbage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    whole = written.read_bytes()
    written.write_bytes(whole + garbage)
    assert list(Journal(written)) == RECORDS
    assert written.read_bytes() == whole
    assert f"{written}: cut off {len(garbage)} bytes after record 3" in caplog.text
    caplog.clear()
    assert list(Journal(written)) == RECORDS
    assert caplog.text == "", "it is whole again"
