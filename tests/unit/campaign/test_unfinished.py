"""Two processes that go on with one run: the second neither measures nor leaves anything."""

from pathlib import Path

import pytest
from trimtab.campaign.unfinished import run_ledger, unfinished_folder, unfinished_runs
from trimtab.records import UserError

PLAN = {"run_id": "r1", "project": "p"}


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TRIMTAB_HOME", str(tmp_path))


def test_a_run_that_ended_while_another_process_built_is_not_measured_again() -> None:
    with run_ledger("r1", resumed=False) as first:
        first.begin(PLAN)
        assert list(unfinished_runs()) == ["r1"]
        first.discard()

    with (
        pytest.raises(UserError, match="r1 was ended by another process"),
        run_ledger("r1", resumed=True),
    ):
        raise AssertionError("nothing is to be gone on with")
    assert list(unfinished_folder().iterdir()) == []


def test_one_that_is_still_unfinished_is_gone_on_with() -> None:
    with run_ledger("r1", resumed=False) as first:
        first.begin(PLAN)
    with run_ledger("r1", resumed=True) as again:
        assert again.plan == PLAN
