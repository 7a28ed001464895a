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


@pytest.mark.parametrize("torn", [1, 7, 12])
def test_a_torn_tail_is_cut_off_and_said(
    written: Path, torn: int, caplog: pytest.LogCaptureFixture
) -> None:
    written.write_bytes(written.read_bytes()[:-torn])
    journal = Journal(written)
    assert list(journal) == RECORDS[:2]
    assert "after record 2" in caplog.text
    journal.append({"sequence": 3, "text": "again"})
    assert list(Journal(written)) == [*RECORDS[:2], {"sequence": 3, "text": "again"}]


def test_nothing_after_a_damaged_record_is_believed(written: Path) -> None:
    lines = written.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b"zwei", b"drei")
    written.write_bytes(b"".join(lines))
    assert list(Journal(written)) == RECORDS[:1]


@pytest.mark.parametrize("garbage", [b"\n", b"not a record\n", b"\x00" * 64, b"00000000 {}\n"])
def test_garbage_at_the_end_is_cut_off(written: Path, garbage: bytes) -> None:
    whole = written.read_bytes()
    written.write_bytes(whole + garbage)
    assert list(Journal(written)) == RECORDS
    assert written.read_bytes() == whole
