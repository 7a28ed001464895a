"""``trimtab runs export``, ``import`` and ``delete``, as a user runs them."""

import subprocess
from collections.abc import Callable
from pathlib import Path

Trimtab = Callable[..., subprocess.CompletedProcess[str]]
RECORDING = Path(__file__).resolve().parents[1] / "recordings" / "mnist.trimtab"
RUN = "20261123-223004-ff49"


def test_a_run_goes_out_and_in_again_unchanged(trimtab: Trimtab, tmp_path: Path) -> None:
    assert trimtab("runs", "import", RECORDING).returncode == 0
    shown = trimtab("runs", "show", RUN, "--format", "json").stdout
    assert '"latency_p50_ms"' in shown
    assert trimtab("runs", "export", "20261123", "-o", "out.trimtab").returncode == 0

    again = trimtab("runs", "import", "out.trimtab")
    assert again.returncode == 0
    assert "already there" in again.stderr

    assert trimtab("runs", "delete", RUN).returncode == 0
    assert trimtab("runs", "show", RUN).returncode == 2
    assert trimtab("runs", "import", "out.trimtab").returncode == 0
    assert trimtab("runs", "show", RUN, "--format", "json").stdout == shown
    assert trimtab("runs", "export", RUN, "-o", "again.trimtab").returncode == 0
    assert (tmp_path / "again.trimtab").read_bytes() == (tmp_path / "out.trimtab").read_bytes()
    assert trimtab("decide", RUN, "--minimize", "latency_p50_ms").returncode == 0


def test_a_damaged_file_is_one_line_and_leaves_the_store_as_it_was(
    trimtab: Trimtab, tmp_path: Path
) -> None:
    (tmp_path / "half.trimtab").write_bytes(RECORDING.read_bytes()[:5000])
    run = trimtab("runs", "import", "half.trimtab")
    assert run.returncode == 2
    assert "half.trimtab: not a sound recording" in run.stderr
    assert "Traceback" not in run.stderr
    assert RUN not in trimtab("runs", "list").stdout
