"""A benchmark that was broken off goes on where it stopped."""

from pathlib import Path

from benchkit.rows import Row, Rows


def once(rows: Rows, key: Row, value: int) -> Row:
    return rows.once(key, lambda: {"value": value})


def test_what_was_measured_is_not_measured_again(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    assert once(Rows(file), {"model": "a", "index": 0}, 1)["value"] == 1
    again = Rows(file)
    assert once(again, {"model": "a", "index": 0}, 2)["value"] == 1
    assert once(again, {"model": "a", "index": 1}, 3)["value"] == 3
    assert once(again, {"model": "b", "index": 0}, 4)["value"] == 4
    assert len(file.read_text().splitlines()) == 3


def test_a_line_cut_off_is_measured_again(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"model": "a", "value": 1}\n{"model": "b", "val')
    rows = Rows(file)
    assert once(rows, {"model": "a"}, 2)["value"] == 1
    assert once(rows, {"model": "b"}, 3)["value"] == 3
    assert once(Rows(file), {"model": "b"}, 4)["value"] == 3


def test_without_a_file_rows_are_kept_for_the_run_alone() -> None:
    rows = Rows(None)
    assert once(rows, {"model": "a"}, 1)["value"] == 1
    assert once(rows, {"model": "a"}, 2)["value"] == 1
