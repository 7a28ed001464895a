"""The agent reads the same entry points as ``importlib.metadata`` does, at less cost."""

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from trimtab_agent.entry_points import EntryPoint, entry_points
from trimtab_agent.probes import registry as probes
from trimtab_agent.runtimes import registry as runtimes


@pytest.mark.parametrize("group", [probes.GROUP, runtimes.GROUP, "console_scripts", "pytest11"])
def test_what_is_installed_here_is_found_as_the_library_finds_it(group: str) -> None:
    expected = {(each.name, each.value) for each in metadata.entry_points(group=group)}
    assert {(each.name, each.value) for each in entry_points(group)} == expected
    assert expected


def test_the_first_on_the_path_counts_and_what_is_no_list_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, value in (("first", "json:dumps"), ("second", "json:loads")):
        info = tmp_path / folder / "Acme.Probe-1.0.dist-info"
        info.mkdir(parents=True)
        text = f"[other]\nx = y:z\n\n[ acme ]\n# a = b:c\nacme = {value} [extra]\n"
        (info / "entry_points.txt").write_text(text)
    (tmp_path / "second" / "broken-1.dist-info").mkdir()
    (tmp_path / "second" / "broken-1.dist-info" / "entry_points.txt").write_bytes(b"[acme]\n\xff")
    monkeypatch.setattr(sys, "path", [str(tmp_path / each) for each in ("first", "second", "gone")])

    (found,) = entry_points("acme")

    assert found.load()([1]) == "[1]"


def test_what_names_nothing_is_refused() -> None:
    assert EntryPoint("path", "os:path.join").load()("a", "b") == "a/b"
    assert EntryPoint("module", "json").load().dumps(1) == "1"
    with pytest.raises(ValueError, match="not an entry point"):
        EntryPoint("odd", "rm -rf").load()
    with pytest.raises(ModuleNotFoundError):
        EntryPoint("gone", "acme_is_not_here:Probe").load()


def test_the_agent_does_without_the_parsers_of_mail() -> None:
    script = (
        "import sys; from trimtab_agent import cli, server, probes; "
        "from trimtab_agent.device import describe_device; "
        "from trimtab_agent.runtimes.registry import runtime_names; "
        "describe_device(); runtime_names(); print('email' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
