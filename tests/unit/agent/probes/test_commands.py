"""Programs of the device's: their answer, or one line why there is none."""

import sys
from pathlib import Path

import pytest
from trimtab_agent.probes.commands import CommandError, run_command

HERE = Path("/")


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_the_answer_is_what_it_prints() -> None:
    assert run_command(HERE, python("print('5')"), timeout_s=30) == "5\n"


def test_one_that_hangs_is_given_up() -> None:
    with pytest.raises(CommandError, match=r"did not answer within 0\.1 s"):
        run_command(HERE, python("import time; time.sleep(60)"), timeout_s=0.1)


def test_one_that_fails_says_why_in_one_line() -> None:
    code = "import sys; print('VCHI initialization\\nfailed', file=sys.stderr); sys.exit(255)"
    with pytest.raises(CommandError, match="failed: VCHI initialization failed"):
        run_command(HERE, python(code), timeout_s=30)


def test_one_that_is_missing_is_named() -> None:
    with pytest.raises(CommandError, match="trimtab-no-such-program is not installed here"):
        run_command(HERE, ["trimtab-no-such-program"])


def test_one_that_may_not_be_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be run"):
        run_command(HERE, [str(tmp_path)])


def test_below_another_root_nothing_is_run(tmp_path: Path) -> None:
    (tmp_path / "commands").mkdir()
    (tmp_path / "commands/true now").write_text("recorded\n")
    assert run_command(tmp_path, ["true", "now"]) == "recorded\n"
    with pytest.raises(CommandError, match="true is not installed here"):
        run_command(tmp_path, ["true"])
