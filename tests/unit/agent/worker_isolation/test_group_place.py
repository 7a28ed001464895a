"""Where workers' control groups are made: trees of files like those of real systems."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from trimtab_agent.worker.isolation import group_place
from trimtab_agent.worker.isolation.group_place import AGENTS_OWN, place_for_groups
from trimtab_agent.worker.isolation.state import Missing
from trimtab_agent.worker.isolation.tasks import TaskGroup
from trimtab_agent.worker.oom import count_kills, group_limit_bytes

SERVICE = "system.slice/trimtab-agent.service"
MOUNT = Path("sys/fs/cgroup")


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def version_2(root: Path, controllers: str = "cpu pids", own: str = SERVICE) -> Path:
    """As systemd delegates it to a service, with the agent in it; returns the service's group."""
    service = root / MOUNT / SERVICE
    write(
        root,
        {
            "proc/self/cgroup": f"0::/{own}\n",
            f"{MOUNT}/cgroup.controllers": "cpuset cpu io memory pids\n",
            f"{MOUNT / SERVICE}/cgroup.type": "domain\n",
            f"{MOUNT / SERVICE}/cgroup.controllers": f"{controllers}\n",
            f"{MOUNT / SERVICE}/cgroup.subtree_control": "\n",
            f"{MOUNT / SERVICE}/cgroup.procs": f"{os.getpid()}\n",
        },
    )
    return service


def test_in_version_2_the_agent_goes_below_its_group_and_workers_get_theirs_beside(
    tmp_path: Path,
) -> None:
    service = version_2(tmp_path)
    group = TaskGroup(60, tmp_path)
    assert (service / AGENTS_OWN / "cgroup.procs").read_text() == str(os.getpid())
    assert (service / "cgroup.subtree_control").read_text() == "+pids"
    assert group.folder.parent == service
    assert (group.folder / "pids.max").read_text() == "60"


def test_an_agent_that_went_below_stays_there(tmp_path: Path) -> None:
    service = version_2(tmp_path, own=f"{SERVICE}/{AGENTS_OWN}")
    (service / AGENTS_OWN).mkdir()
    (service / "cgroup.subtree_control").write_text("pids\n")
    assert place_for_groups(tmp_path) == service
    assert list((service / AGENTS_OWN).iterdir()) == []
    assert (service / "cgroup.subtree_control").read_text() == "pids\n"


def test_the_very_first_group_holds_processes_and_hands_on(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/\n",
            f"{MOUNT}/cgroup.controllers": "cpu pids\n",
            f"{MOUNT}/cgroup.subtree_control": "cpu pids\n",
        },
    )
    assert place_for_groups(tmp_path) == tmp_path / MOUNT
    assert not (tmp_path / MOUNT / AGENTS_OWN).exists()


def test_a_group_without_the_controller_is_left_as_it_is(tmp_path: Path) -> None:
    """A unit without Delegate=pids."""
    service = version_2(tmp_path, controllers="cpu")
    with pytest.raises(Missing, match="hands no pids controller on"):
        place_for_groups(tmp_path)
    assert not (service / AGENTS_OWN).exists()


def test_where_others_are_in_the_group_the_agent_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell's group: the kernel hands nothing on while the shell is in it."""
    service = version_2(tmp_path)
    moved: list[tuple[int, str]] = []
    plain = group_place._move

    def move(pid: int, folder: Path) -> None:
        moved.append((pid, folder.name))
        plain(pid, folder)

    real = Path.write_text

    def busy(path: Path, text: str, *rest: Any, **named: Any) -> int:
        if path.name == "cgroup.subtree_control":
            raise OSError(16, "Device or resource busy")
        return real(path, text, *rest, **named)

    monkeypatch.setattr(group_place, "_move", move)
    monkeypatch.setattr(Path, "write_text", busy)
    with pytest.raises(Missing, match="EBUSY: the agent's control group hands no pids"):
        place_for_groups(tmp_path)
    assert moved == [(os.getpid(), AGENTS_OWN), (os.getpid(), service.name)]


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes where the mode forbids it")
def test_a_group_that_is_not_the_agents_is_left_as_it_is(tmp_path: Path) -> None:
    service = version_2(tmp_path)
    service.chmod(0o555)
    with pytest.raises(Missing, match="EACCES: the agent may make no control group"):
        place_for_groups(tmp_path)


def test_version_1_has_a_tree_for_the_controller(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "proc/self/cgroup": "9:memory:/a\n8:pids:/system.slice\n0::/system.slice\n",
            f"{MOUNT}/pids/system.slice/cgroup.procs": "",
        },
    )
    assert place_for_groups(tmp_path) == tmp_path / MOUNT / "pids/system.slice"


def test_a_container_sees_only_its_own_group(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"proc/self/cgroup": "4:pids:/docker/abc\n", f"{MOUNT}/pids/cgroup.procs": ""},
    )
    assert place_for_groups(tmp_path) == tmp_path / MOUNT / "pids"


def test_a_system_without_groups_says_so(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="this kernel has no control groups"):
        place_for_groups(tmp_path)
    write(tmp_path, {"proc/self/cgroup": "0::/\n"})
    with pytest.raises(Missing, match="no control groups with a pids controller are mounted"):
        place_for_groups(tmp_path)


def test_workers_that_the_kernel_killed_count_beside_the_agents_own_group(tmp_path: Path) -> None:
    """The agent's own group never sees them: theirs are not below it."""
    service = version_2(tmp_path, own=f"{SERVICE}/{AGENTS_OWN}")
    for folder, kills in ((service, 2), (service / AGENTS_OWN, 0)):
        folder.mkdir(exist_ok=True)
        (folder / "memory.events").write_text(f"oom_kill {kills}\n")
        (folder / "memory.max").write_text("512000000\n")
    assert count_kills(tmp_path).group == 2
    assert group_limit_bytes(tmp_path) == 512_000_000


@pytest.fixture
def real_group() -> Iterator[Path]:
    """Of version 2, by this system's kernel."""
    mounts = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))
    mount = next((each for each in mounts if (each / "cgroup.controllers").is_file()), None)
    if mount is None:
        pytest.skip("no control groups of version 2 are mounted here")
    group = mount / f"trimtab-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    yield group
    group.rmdir()


_GO_AND_COME_BACK = """
import os, sys
from pathlib import Path
from trimtab_agent.worker.isolation.group_place import _come_back, _go_below
group = Path(sys.argv[1])
(group / "cgroup.procs").write_text(str(os.getpid()))
def where():
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    return next(line for line in lines if line.startswith("0::")).rpartition("/")[2]
print(where())
_go_below(group)
print(where(), (group / "cgroup.procs").read_text().split())
_come_back(group)
print(where(), [each.name for each in group.iterdir() if each.is_dir()])
"""


def test_a_real_kernel_moves_the_agent_below_and_back(real_group: Path) -> None:
    command = [sys.executable, "-c", _GO_AND_COME_BACK, str(real_group)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert said.stdout.splitlines() == [
        real_group.name,
        f"{AGENTS_OWN} []",
        f"{real_group.name} []",
    ], said.stderr
