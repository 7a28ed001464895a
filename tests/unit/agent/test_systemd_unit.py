"""The systemd unit is one that systemd takes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

_UNIT = Path(__file__).resolve().parents[3] / "deploy" / "trimtab-agent.service"
_PROGRAM = "/opt/trimtab-agent/venv/bin/trimtab-agent"


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here")
    true = shutil.which("true")
    assert true is not None
    text = _UNIT.read_text()
    assert _PROGRAM in text
    # Whether a program is installed there is no property of the unit.
    unit = tmp_path / _UNIT.name
    unit.write_text(text.replace(_PROGRAM, true))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_unit_serves_where_the_readme_says() -> None:
    readme = (_UNIT.parent / "README.md").read_text()
    assert "--listen unix:/run/trimtab-agent/agent.sock" in _UNIT.read_text()
    assert ":/run/trimtab-agent/agent.sock" in readme
