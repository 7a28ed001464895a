"""A runtime that is not compiled costs every worker time, and the doctor says what to do."""

from __future__ import annotations

import compileall
import subprocess
import sys
from pathlib import Path

import pytest
from trimtab_agent.doctor.abilities import ability_findings
from trimtab_agent.doctor.bytecode import bytecode_finding
from trimtab_agent.records import RuntimeInfo

USABLE = RuntimeInfo("quick", "1", "quick_runtime", ("onnx",), ("cpu",))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of two modules and a template, as an installer leaves it that compiles nothing."""
    files = {"__init__.py": "import json", "core.py": "x = 1", "kernel.py": "{{ name }} ="}
    package = tmp_path / "quick_runtime"
    package.mkdir()
    for name, text in files.items():
        (package / name).write_text(f"{text}\n")
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_what_is_not_compiled_is_told_with_the_command_that_helps(site: Path) -> None:
    found = bytecode_finding(["quick_runtime"])
    assert found.outcome == "warning"
    assert "not compiled: quick_runtime" in found.seen
    program, *arguments = found.advice.split(" ")
    assert (program, arguments[:3]) == (sys.executable, ["-m", "compileall", "-q"])
    subprocess.run([program, *arguments], stdout=subprocess.DEVNULL, check=False)
    after = bytecode_finding(["quick_runtime"])
    assert (after.outcome, after.seen) == ("ok", "compiled: quick_runtime")


def test_it_stands_among_what_the_device_can_do(site: Path) -> None:
    compileall.compile_dir(site, quiet=2)
    named = {each.name: each for each in ability_findings(site, (USABLE,), (0,))}
    assert named["bytecode"].outcome == "ok"


def test_without_a_runtime_there_is_nothing_to_compile(tmp_path: Path) -> None:
    assert "bytecode" not in {each.name for each in ability_findings(tmp_path, (), (0,))}


def test_what_is_no_package_is_not_looked_for() -> None:
    assert bytecode_finding(["not_installed", ""]).outcome == "unknown"
