"""The same recipe, data and seed give the same bytes, in any folder and any process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

BUILD = """
import json, sys
from pathlib import Path
from trimtab.campaign.project_run import compress_project
from trimtab.scaffold import write_starting_project
folder = Path(sys.argv[1])
write_starting_project(folder)
made = compress_project(folder / "trimtab.toml", lambda line: None)
print(json.dumps({f"{each.name}.{each.format}": each.artifact.sha256 for each in made}))
"""


def digests(folder: Path, home: Path, hash_seed: int) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(folder)],
        env={
            **os.environ,
            "TRIMTAB_HOME": str(home),
            "PYTHONHASHSEED": str(hash_seed),
            "OMP_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    made: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return made


def test_two_builds_without_a_common_cache(tmp_path: Path) -> None:
    first = digests(tmp_path / "a", tmp_path / "home", 1)
    second = digests(tmp_path / "another folder" / "b", tmp_path / "home", 2)
    assert len(set(first.values())) == 8
    assert second == first
