"""What the doctor says of what workers give up."""

import os
from pathlib import Path

import pytest
from trimtab_agent.doctor.isolation import isolation_finding, worker_isolation
from trimtab_agent.worker.isolation.state import SWITCH_OFF, Isolation


async def test_a_worker_tells_what_it_has_and_the_asking_process_keeps_its_own(
    tmp_path: Path,
) -> None:
    before = Path("/proc/self/status").read_text()
    found = await worker_isolation(tmp_path)
    assert isinstance(found, Isolation)
    assert "no new privileges" in found.in_force
    assert {"landlock", "seccomp"} <= {*" ".join(found.in_force).split(), *found.missing}
    for line in ("NoNewPrivs:", "Seccomp:"):
        assert _line(Path("/proc/self/status").read_text(), line) == _line(before, line)
    assert list(tmp_path.iterdir()) == [], "it leaves nothing behind"


def _line(status: str, name: str) -> str:
    (found,) = [line for line in status.splitlines() if line.startswith(name)]
    return found


async def test_an_owner_who_switched_it_off_hears_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, SWITCH_OFF, "1")
    finding = isolation_finding(await worker_isolation(tmp_path))
    assert finding.outcome == "warning"
    assert finding.seen.startswith("workers have none; missing: everything (switched off")
    assert "without --no-isolation" in finding.advice


def test_all_there_is_all_right() -> None:
    finding = isolation_finding(Isolation(["landlock 7", "seccomp"]))
    assert (finding.outcome, finding.seen, finding.advice) == (
        "ok",
        "workers have landlock 7, seccomp",
        "",
    )


@pytest.mark.parametrize(
    ("part", "helps"),
    [
        ("limit of processes", "Delegate=pids"),
        ("landlock", "lsm="),
        ("seccomp", "CONFIG_SECCOMP_FILTER"),
        ("another user", "--worker-user"),
        ("a part of a later release", "docs/isolation.md"),
    ],
)
def test_what_is_missing_is_named_with_its_reason_and_what_helps(part: str, helps: str) -> None:
    finding = isolation_finding(Isolation(["no new privileges"], {part: "ENOSYS: not here"}))
    assert finding.outcome == "warning"
    assert f"missing: {part} (ENOSYS: not here)" in finding.seen
    assert helps in finding.advice
    assert not finding.voids


def test_a_worker_that_died_is_no_answer() -> None:
    finding = isolation_finding("the worker was killed")
    assert finding.outcome == "unknown"
    assert "the worker was killed" in finding.seen
