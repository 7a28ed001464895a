"""What must not creep in: stale generated code, different versions, imports across the house."""

import subprocess
import sys
from itertools import chain
from pathlib import Path

import tomllib
import trimtab
import trimtab_agent
import trimtab_protos

REPOSITORY = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "onnx", "onnxruntime", "litert_torch", "ai_edge_litert", "sklearn", "plotly")


def test_the_three_distributions_have_one_version() -> None:
    files = [REPOSITORY / part / "pyproject.toml" for part in (".", "agent", "protos")]
    projects = [tomllib.loads(file.read_text())["project"] for file in files]
    version = projects[0]["version"]

    assert {project["version"] for project in projects} == {version}
    modules = (trimtab, trimtab_agent, trimtab_protos)
    assert {module.__version__ for module in modules} == {version}
    pinned = [name for project in projects for name in project["dependencies"] if "==" in name]
    assert pinned
    assert all(name.endswith(f"=={version}") for name in pinned)


def test_the_generated_code_is_not_stale() -> None:
    check = subprocess.run(
        [sys.executable, str(REPOSITORY / "protos" / "generate.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert check.returncode == 0, check.stderr


def test_every_dependency_has_a_lower_bound_and_a_pin() -> None:
    pins = {
        line.partition("==")[0].lower().replace("_", "-")
        for line in (REPOSITORY / "constraints.txt").read_text().splitlines()
        if "==" in line
    }
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    for requirement in wanted:
        name = requirement.partition(">=")[0].partition("==")[0].partition("[")[0]
        assert ">=" in requirement or name.startswith("trimtab"), requirement
        assert name.startswith("trimtab") or name.lower() in pins, f"{name} is not pinned"


def test_the_command_line_loads_nothing_heavy_to_say_its_help() -> None:
    code = (
        "import sys\n"
        "from trimtab.cli import cli\n"
        "cli(['bench', '--help'], standalone_mode=False)\n"
        f"print('loaded:', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert "loaded: []" in run.stdout
