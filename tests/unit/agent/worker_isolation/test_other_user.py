"""A worker that becomes another user: what it can still do, and when it cannot become one."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from trimtab_agent.config import ConfigError
from trimtab_agent.worker.isolation.other_user import (
    USER_VARIABLE,
    OtherUser,
    first_barred,
    let_workers_pass,
    other_user,
)
from trimtab_agent.worker.isolation.state import SWITCH_OFF, Missing
from trimtab_agent.worker_environment import set_worker_user

NOBODY = pwd.getpwnam("nobody")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

# What it needs is imported before: the interpreter may lie where only root can read.
_BECOME = """
import json, os, sys
from pathlib import Path
from trimtab_agent.worker.isolation.other_user import OtherUser, become
secret, shared = Path(sys.argv[1]), Path(sys.argv[2])
become(OtherUser("nobody", int(sys.argv[3]), int(sys.argv[4]), ()))

def refused(act):
    try:
        act()
    except PermissionError:
        return True
    return False

print(json.dumps({
    "ids": [*os.getresuid(), *os.getresgid(), *os.getgroups()],
    "secret refused": refused(secret.read_text),
    "writing refused": refused(lambda: (shared / "new").write_text("x")),
    "root again refused": refused(lambda: os.setuid(0)),
    "own memory": "Pss:" in Path("/proc/self/smaps_rollup").read_text(),
    "own entries": Path("/proc/self/clear_refs").stat().st_uid == os.getuid(),
}))
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """That all may pass, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="trimtab-user-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@as_root
def test_it_reads_no_secret_writes_nowhere_and_measures_its_own_memory(folder: Path) -> None:
    secret = folder / "agent.identity"
    secret.write_text("the agent's key")
    secret.chmod(0o600)
    shared = folder / "shared"
    shared.mkdir(mode=0o755)
    ids = [str(NOBODY.pw_uid), str(NOBODY.pw_gid)]
    run = subprocess.run(
        [sys.executable, "-c", _BECOME, str(secret), str(shared), *ids],
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(run.stdout)
    assert told.pop("ids") == [NOBODY.pw_uid] * 3 + [NOBODY.pw_gid] * 3
    assert all(told.values()), told


def test_who_may_pass_is_read_from_the_modes_of_the_whole_way(folder: Path) -> None:
    inner = folder / "state" / "scratch"
    inner.mkdir(parents=True)
    stranger = OtherUser("nobody", 54321, 54321, ())
    assert first_barred(inner, stranger) is None
    inner.parent.chmod(0o700)
    assert first_barred(inner, stranger) == inner.parent
    owner = OtherUser("owner", inner.stat().st_uid, 54321, ())
    assert first_barred(inner, owner) is None
    inner.parent.chmod(0o710)
    assert first_barred(inner, stranger) == inner.parent
    of_group = OtherUser("other", 54321, 54321, (inner.stat().st_gid,))
    assert first_barred(inner, of_group) is None
    inner.parent.chmod(0o701)  # the group's part holds for its members, although all others may
    assert first_barred(inner, of_group) == inner.parent


@as_root
def test_the_state_folder_opens_to_the_workers_group_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(USER_VARIABLE, "nobody")
    monkeypatch.setattr("trimtab_agent.worker.isolation.other_user._import_error", lambda user: "")
    state = folder / "state"
    state.mkdir(mode=0o700)
    with pytest.raises(Missing, match=f"nobody cannot pass {state}: give the agent a --state"):
        other_user(state)
    with monkeypatch.context() as without:
        without.setenv(SWITCH_OFF, "1")
        let_workers_pass(state)
    assert state.stat().st_mode & 0o777 == 0o700
    let_workers_pass(state)
    assert other_user(state).uid == NOBODY.pw_uid
    assert state.stat().st_mode & 0o777 == 0o710
    assert state.stat().st_gid == NOBODY.pw_gid


@as_root
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("no-such-user", "there is no user no-such-user: useradd --system"),
        ("root", "root is root itself"),
        ("", "there is no user trimtab-worker: useradd --system"),
    ],
)
def test_whom_it_cannot_become_is_told(
    name: str, reason: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(USER_VARIABLE, name)
    with pytest.raises(Missing, match=reason):
        other_user(folder)


@as_root
def test_an_interpreter_that_it_cannot_start_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(USER_VARIABLE, "nobody")
    barred = folder / "barred"
    barred.mkdir(mode=0o700)
    monkeypatch.setattr(sys, "executable", str(barred / "python"))
    with pytest.raises(Missing, match=r"cannot use .*Permission denied.*where all may read"):
        other_user(folder)


def test_an_agent_of_no_rights_says_that_it_has_none(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Missing, match="does not run as root"):
        other_user(folder)
    with pytest.raises(ConfigError, match="only an agent that runs as root"):
        set_worker_user("nobody")


@as_root
@pytest.mark.parametrize(
    ("name", "reason"), [("root", "is root"), ("no-such-user", "no user 'no-such-user'; do: use")]
)
def test_a_worker_user_that_is_none_keeps_the_agent_from_starting(name: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        set_worker_user(name)
