"""The systemd units are such that systemd takes, and serve what their README says."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

_DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
_UNIT = _DEPLOY / "trimtab-agent.service"
_NETWORK = _DEPLOY / "trimtab-agent-network.conf"
_PROGRAM = "/opt/trimtab-agent/venv/bin/trimtab-agent"


def _verify(folder: Path, network: str | None) -> tuple[int, str]:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here")
    true = shutil.which("true")
    assert true is not None
    # Whether a program is installed there is no property of the unit.
    unit = folder / _UNIT.name
    unit.write_text(_UNIT.read_text().replace(_PROGRAM, true))
    if network is not None:
        drop_in = folder / f"{_UNIT.name}.d" / "network.conf"
        drop_in.parent.mkdir()
        drop_in.write_text(network.replace(_PROGRAM, true))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("network", [None, _NETWORK.read_text()], ids=["alone", "network"])
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path, network: str | None) -> None:
    assert _PROGRAM in _UNIT.read_text()
    assert _verify(tmp_path, network) == (0, "")


def test_systemd_reads_the_drop_in(tmp_path: Path) -> None:
    """Else it could find nothing wrong with it."""
    _, said = _verify(tmp_path, _NETWORK.read_text() + "Nonsense=1\n")
    assert "Unknown key 'Nonsense'" in said


def test_the_unit_serves_where_the_readme_says() -> None:
    readme = (_UNIT.parent / "README.md").read_text()
    assert "--listen unix:/run/trimtab-agent/agent.sock" in _UNIT.read_text()
    assert ":/run/trimtab-agent/agent.sock" in readme


def test_on_the_network_the_bundle_lies_where_the_unit_lets_the_agent_write() -> None:
    state = next(
        line.partition("=")[2]
        for line in _UNIT.read_text().splitlines()
        if line.startswith("StateDirectory=")
    )
    bundle = f"/var/lib/{state}/device.identity"
    assert f"--identity {bundle} " in _NETWORK.read_text()
    assert f"install -D -m 600 pi5.identity {bundle}" in (_DEPLOY / "README.md").read_text()
