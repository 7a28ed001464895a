"""Where the agent takes files from, a worker can put nothing but files (real kernel)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

# Native calls, as a library makes them; a number is the error, 0 that it was done.
_TRY = """
import ctypes, json, stat, sys
from trimtab_agent.worker.isolation.entering import isolate
from trimtab_agent.worker.messages import WorkerTask

work, outputs = sys.argv[1:]
found = isolate(WorkerTask("profile", work_path=work, outputs_path=f"{outputs}/o.npz"), print)
libc = ctypes.CDLL(None, use_errno=True)

def native(function, *arguments):
    done = getattr(libc, function)(*arguments) == 0
    return 0 if done else ctypes.get_errno()

def attempts(folder):
    at = folder.encode()
    return {
        "FIFO": native("mkfifo", at + b"/fifo", 0o600),
        "link": native("symlink", b"/etc/passwd", at + b"/link"),
        "socket": native("mknod", at + b"/socket", stat.S_IFSOCK | 0o600, 0),
        "file": 0 if open(folder + "/part", "w") else 1,
        "rename": native("rename", at + b"/part", at + b"/whole"),
        "folder": native("mkdir", at + b"/folder", 0o700),
    }

told = {"missing": found.missing, "work": attempts(work), "outputs": attempts(outputs)}
told["moved"] = native("rename", work.encode() + b"/fifo", outputs.encode() + b"/o.npz")
print(json.dumps(told))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="made of what Linux has")
def test_in_the_outputs_folder_only_files_and_folders_can_be_made(tmp_path: Path) -> None:
    folders = [tmp_path / "work", tmp_path / "outputs"]
    for folder in folders:
        folder.mkdir()
    run = subprocess.run(
        [sys.executable, "-c", _TRY, *map(str, folders)],
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(run.stdout)
    if "landlock" in told["missing"]:
        pytest.skip(told["missing"]["landlock"])
    assert set(told["work"].values()) == {0}
    refused = {name for name, error in told["outputs"].items() if error}
    assert refused == {"FIFO", "link", "socket"}
    assert told["moved"] != 0
