from pathlib import Path

import pytest
from trimtab.fleet.ledger.checked_log import CheckedLog, Record, first_record, read_records

RECORDS: list[Record] = [{"kind": "plan", "n": 1}, {"kind": "job", "text": "é\n"}, {"kind": "done"}]


def written(path: Path) -> bytes:
    log = CheckedLog(path, durable=True)
    for record in RECORDS:
        log.append(record)
    log.close()
    return path.read_bytes()


def test_what_was_appended_is_read_again(tmp_path: Path) -> None:
    written(tmp_path / "log")

    log = CheckedLog(tmp_path / "log", durable=False)
    log.close()
    assert log.records == RECORDS


def test_every_cut_keeps_exactly_the_whole_records(tmp_path: Path) -> None:
    path = tmp_path / "log"
    whole = written(path)
    ends = [index + 1 for index, byte in enumerate(whole) if byte == 0x0A]
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        expected = RECORDS[: sum(end <= size for end in ends)]

        assert read_records(path)[0] == expected
        assert first_record(path) == (expected[0] if expected else None)


def test_a_torn_tail_is_cut_off_before_more_is_appended(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(written(path)[:-3])

    log = CheckedLog(path, durable=True)
    log.append({"kind": "again"})
    log.close()

    assert read_records(path)[0] == [*RECORDS[:2], {"kind": "again"}]


def test_what_follows_a_damaged_record_is_not_trusted(tmp_path: Path) -> None:
    path = tmp_path / "log"
    lines = written(path).splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1].replace(b"job", b"jib") + lines[2])

    assert read_records(path)[0] == RECORDS[:1]


def test_a_full_disk_leaves_nothing_of_the_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    written(path)
    log = CheckedLog(path, durable=True)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("trimtab.fleet.ledger.checked_log.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        log.append({"kind": "lost"})
    log.close()

    assert read_records(path)[0] == RECORDS
