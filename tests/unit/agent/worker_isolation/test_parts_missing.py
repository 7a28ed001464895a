"""A kernel without a part: the others hold, and the reason is told."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from trimtab_agent.worker.isolation.syscalls import ABSENT, AUDIT_ARCHITECTURE, NUMBERS, REFUSED

# A real filter answers ENOSYS for landlock_create_ruleset, as a kernel without it does.
_WITHOUT_LANDLOCK = """
import errno, json
from trimtab_agent.worker.isolation import entering, seccomp, syscalls, system
machine = system.architecture()
syscalls.NUMBERS[machine]["landlock_create_ruleset"] = 444
seccomp.ABSENT = ("landlock_create_ruleset",)
system.forbid_new_privileges()
seccomp.filter_calls()
from trimtab_agent.worker.messages import WorkerTask
found = entering.isolate(WorkerTask("describe"), print)
print(json.dumps([found.in_force, found.missing]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="made of what Linux has")
def test_a_kernel_without_landlock_is_told() -> None:
    run = subprocess.run(
        [sys.executable, "-c", _WITHOUT_LANDLOCK], capture_output=True, text=True, check=True
    )
    in_force, missing = json.loads(run.stdout)
    assert missing["landlock"] == "ENOSYS: this kernel has no landlock"
    assert "seccomp" in in_force
    assert not any(part.startswith("landlock") for part in in_force)


@pytest.mark.parametrize("machine", sorted(NUMBERS))
def test_every_machine_has_its_numbers(machine: str) -> None:
    x86_alone = {"iopl", "ioperm"}
    needed = {*REFUSED.split(), *ABSENT, "socket", "seccomp"} - x86_alone
    assert needed <= NUMBERS[machine].keys()
    assert machine in AUDIT_ARCHITECTURE
    assert len(set(NUMBERS[machine].values())) == len(NUMBERS[machine])
