"""``trimtab runs list`` and ``delete`` beside runs that are not at their end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from trimtab.campaign.unfinished import run_ledger, unfinished_folder
from trimtab.cli import cli
from trimtab.home import store_url
from trimtab.records import Run, UserError
from trimtab.store import RunStore

RUN = "20261101-120000-ab12"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRIMTAB_HOME", str(tmp_path))
    monkeypatch.delenv("TRIMTAB_STORE", raising=False)
    return tmp_path


def _keep(name: str = "resnet") -> None:
    with RunStore(store_url()) as store:
        store.begin(Run(RUN, name, "2026-11-01T12:00:00+00:00", variants=(), results=()))


def _kept() -> list[str]:
    with RunStore(store_url()) as store:
        return [each.run_id for each in store.list()]


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, standalone_mode=False)


@pytest.mark.parametrize("named", [RUN, "20261101"])
def test_a_run_that_is_being_measured_is_not_deleted(named: str) -> None:
    _keep()
    with run_ledger(RUN, resumed=False) as ledger:
        ledger.begin({"run_id": RUN})

        error = _run("runs", "delete", named).exception

        assert isinstance(error, UserError)
        assert f"run {RUN} is going on in another process" in error.message
        assert _kept() == [RUN]
        ledger.device("pi5").note_asked("r1", ("a",))

    with run_ledger(RUN, resumed=True) as again:
        assert list(again.device("pi5").submissions) == ["r1"]


def test_what_is_unfinished_goes_with_its_run() -> None:
    _keep()
    with run_ledger(RUN, resumed=False) as ledger:
        ledger.begin({"run_id": RUN})

    assert _run("runs", "delete", "20261101").exception is None

    assert _kept() == []
    assert list(unfinished_folder().iterdir()) == []


def test_an_interrupted_run_is_called_so_until_it_is_begun_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    _keep()
    assert "no results" in _run("runs", "list").stdout

    with RunStore(store_url()) as store:
        store.note_interrupted(RUN)
        store.note_interrupted(RUN)
    assert "interrupted" in _run("runs", "list").stdout
    (row,) = json.loads(_run("runs", "list", "--format", "json").stdout)["runs"]
    assert row["interrupted"]

    _keep()
    assert "interrupted" not in _run("runs", "list").stdout


def test_what_can_be_gone_on_with_is_unfinished_and_a_deleted_run_is_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    _keep()
    with run_ledger(RUN, resumed=False) as ledger:
        ledger.begin({"run_id": RUN})
    with RunStore(store_url()) as store:
        store.note_interrupted(RUN)
    assert "unfinished" in _run("runs", "list").stdout

    assert _run("runs", "delete", RUN).exception is None
    with RunStore(store_url()) as store:
        store.note_interrupted(RUN)
    assert _kept() == []
    _keep()
    assert "no results" in _run("runs", "list").stdout


def test_deleting_leaves_no_folder_behind(home: Path) -> None:
    _keep()

    assert _run("runs", "delete", RUN).stderr == f"deleted {RUN}\n"
    assert not unfinished_folder().exists()

    for unknown in (RUN, "", ".", "../x"):
        assert isinstance(_run("runs", "delete", unknown).exception, UserError)
    assert not unfinished_folder().exists()


def test_a_name_is_shown_as_it_is_and_steers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    _keep("resnet[/x]\x1b]0;OWNED\x07")

    listed = _run("runs", "list")

    assert listed.exception is None
    assert "resnet[/x]?]0;OWNED?" in " ".join(listed.stdout.split())
