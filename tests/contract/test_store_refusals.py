"""SQLite files that cannot be used: one line that says why, and nothing is changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from trimtab.records import Run, UserError
from trimtab.store import RunStore, new_run_id

RUN = Run("20260102-030405-ab12", "digits", "2026-01-02T03:04:05+00:00", (), ())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with one run in it."""
    path = tmp_path / "runs.db"
    with RunStore(f"sqlite:///{path}") as store:
        store.save(RUN)
    return path


def refuses(action: Callable[[], object], pattern: str) -> None:
    with pytest.raises(UserError, match=pattern) as caught:
        action()
    assert "\n" not in caught.value.message
    assert caught.value.advice


def test_a_locked_store(path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with RunStore(f"sqlite:///{path}", timeout_s=0.1) as store:
            assert store.load(RUN.run_id).name == "digits"
            refuses(lambda: store.save(RUN), "is locked by another process")
    finally:
        other.close()


def test_a_read_only_store_can_be_read_and_not_written(path: Path) -> None:
    with RunStore(f"sqlite:///file:{path}?mode=ro&uri=true") as read_only:
        assert read_only.load(RUN.run_id).name == "digits"
        refuses(lambda: read_only.save(RUN), "is read-only")


def test_a_newer_schema(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("UPDATE trimtab_schema SET version = 99")
    connection.commit()
    connection.close()
    refuses(lambda: RunStore(f"sqlite:///{path}"), "newer trimtab .schema 99")


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, " * 100)
    before = path.read_bytes()
    with pytest.raises(UserError, match="is not a database"):
        RunStore(f"sqlite:///{path}")
    assert path.read_bytes() == before


def test_another_program_s_database_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "other.db")
    connection.execute("CREATE TABLE customers (id)")
    connection.close()
    with pytest.raises(UserError, match="another program's tables"):
        RunStore(f"sqlite:///{tmp_path / 'other.db'}")


def test_a_missing_folder_and_a_wrong_url_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be opened"):
        RunStore(f"sqlite:///{tmp_path / 'missing' / 'runs.db'}")
    for url in ("runs.db", "nosuch://host/db"):
        with pytest.raises(UserError, match="URL cannot be used"):
            RunStore(url)


def test_run_ids_sort_by_time_and_differ_within_a_second() -> None:
    early = new_run_id(datetime(2026, 11, 23, 20, 14, 55, tzinfo=UTC))
    late = new_run_id(datetime(2026, 11, 23, 20, 14, 56, tzinfo=UTC))
    assert early.startswith("20261123-201455-")
    assert early < late
    assert len({new_run_id(datetime(2026, 1, 1, tzinfo=UTC)) for _ in range(8)}) > 1
