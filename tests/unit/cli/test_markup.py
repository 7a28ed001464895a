"""Names and reasons from files are shown as they are, not as markup, and steer nothing."""

from __future__ import annotations

import pytest
from trimtab.cli.errors import report_error
from trimtab.cli.project import _print_variants
from trimtab.records import UserError, Variant
from trimtab_protos.errors import Failure


def test_a_variants_reason_is_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    failure = Failure("model", "cannot cut [/conv1]\x1b]0;OWNED\x07")
    _print_variants([Variant("pru[x]ned", "onnx", (), (), None, failure)])
    shown = capsys.readouterr().out
    assert "pru[x]ned" in shown
    assert "[/conv1]?]0;OWNED?" in shown


def test_an_errors_lines_stay_lines_and_steer_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    report_error(UserError("one\n  two\x1b[2J", "three\x07"), debug=False)
    assert capsys.readouterr().err.splitlines() == ["error: one", "  two?[2J", "  three?"]
