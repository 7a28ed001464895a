import os
import subprocess
import sys
from pathlib import Path

import pytest
from told_devices import told
from trimtab.fleet.jobs import RuntimeInfo
from trimtab.fleet.ledger import RunLedger, read_plan
from trimtab.records import SensorInfo, UserError

INFO = told(
    device_id="1234",
    board_model="Pi 5",
    tuning={"governor": "performance"},
    runtimes=(RuntimeInfo("litert", "2", "ai_edge_litert", ("tflite",), ("cpu",), ""),),
    sensors=(SensorInfo("core", "Cel", "soc", kind="averaged"),),
)


def test_everything_that_was_noted_is_there_again(tmp_path: Path) -> None:
    ledger = RunLedger(tmp_path)
    ledger.begin({"run_id": "r"})
    pi5 = ledger.device("pi5")
    pi5.note_device(INFO)
    for name in ("first", "second", "third"):
        pi5.note_asked(name, (f"{name}-a", f"{name}-b"))
    pi5.note_job("first", "000001-x")
    pi5.note_collected("first", ["first-a"])
    pi5.note_acknowledged("first")
    pi5.note_lost("second", "unknown there")
    ledger.device("pi4").note_asked("other", ("a",))
    ledger.close()

    again = RunLedger(tmp_path)
    again.close()
    found = again.device("pi5")

    assert again.plan == read_plan(tmp_path) == {"run_id": "r"}
    assert (found.device_id, found.info) == ("1234", INFO)
    assert found.submissions == pi5.submissions
    assert found.submissions["first"].acknowledged
    assert [each.request_id for each in found.submissions.values() if each.is_open] == ["third"]
    assert [each.request_id for each in again.device("pi4").submissions.values()] == ["other"]


def test_a_second_process_is_refused_and_told_which_one_goes_on(tmp_path: Path) -> None:
    ledger = RunLedger(tmp_path / "run-7")
    code = (
        "import sys; from pathlib import Path; from trimtab.fleet.ledger import RunLedger\n"
        "RunLedger(Path(sys.argv[1]))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "run-7")]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    ledger.close()

    assert "the run run-7 is going on in another process" in refused.stderr
    assert subprocess.run(command, check=False).returncode == 0


def test_a_process_that_was_killed_leaves_no_lock(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from trimtab.fleet.ledger import RunLedger\n"
        "RunLedger(Path(sys.argv[1])).begin({'run_id': 'r'}); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)

    ledger = RunLedger(tmp_path)

    assert ledger.plan == {"run_id": "r"}
    with pytest.raises(UserError, match="going on"):
        RunLedger(tmp_path)
    ledger.discard()
    assert not tmp_path.exists()


def test_who_is_killed_while_a_run_is_thrown_away_leaves_nothing_to_go_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = RunLedger(tmp_path / "run")
    ledger.begin({"run_id": "r"})
    monkeypatch.setattr("shutil.rmtree", lambda folder, ignore_errors: None)
    ledger.discard()

    assert (tmp_path / "run" / "events").is_dir()
    assert read_plan(tmp_path / "run") == {}


def test_a_job_costs_two_syncs_and_what_is_not_synced_may_be_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Losing who has the job, or that it was acknowledged, costs a question and no measuring."""
    synced: list[int] = []
    fsync = os.fsync

    def count(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_size)
        fsync(descriptor)

    monkeypatch.setattr("trimtab.fleet.ledger.checked_log.os.fsync", count)
    ledger = RunLedger(tmp_path / "run")
    device = ledger.device("pi5")
    device.note_asked("r1", ["a"])
    device.note_job("r1", "job-1")
    device.note_collected("r1", ["a"])
    device.note_acknowledged("r1")
    ledger.close()
    assert len(synced) == 2

    log = tmp_path / "run" / "ledger.jsonl"
    for size, job_id, is_open in ((synced[0], "", True), (synced[1], "job-1", False)):
        whole = log.read_bytes()
        log.write_bytes(whole[:size])  # as after a loss of power
        again = RunLedger(tmp_path / "run")
        submission = again.device("pi5").submissions["r1"]
        again.close()
        assert (submission.job_id, submission.is_open) == (job_id, is_open)
        assert not submission.acknowledged
        log.write_bytes(whole)
