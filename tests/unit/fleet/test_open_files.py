"""A run over many devices may open as many files as it needs, or says that it may not."""

import subprocess
import sys

import pytest


def limit_after(devices: int, soft: int, hard: int) -> str:
    """In a process of its own: a hard limit cannot be raised again."""
    script = (
        f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))\n"
        "from trimtab.fleet.open_files import allow_open_files\n"
        "from trimtab.records import UserError\n"
        "try:\n"
        f"    allow_open_files({devices})\n"
        "    print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])\n"
        "except UserError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(("devices", "after"), [(200, "1024"), (600, "2000")])
def test_the_limit_rises_only_where_it_must(devices: int, after: str) -> None:
    assert limit_after(devices, 1024, 4096) == after


def test_a_hard_limit_that_is_too_low_is_told_before_anything_runs() -> None:
    told = limit_after(10_000, 1024, 4096)
    assert told.startswith(
        "10000 devices at once need 30200 open files, this process may have 4096"
    )
