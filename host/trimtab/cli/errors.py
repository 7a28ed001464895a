"""Exit codes, and the one place where an exception becomes two lines on standard error."""

from __future__ import annotations

import sys
import traceback

import click
from trimtab_protos.errors import TrimtabError

from trimtab.fleet.errors import DeviceUnreachable
from trimtab.plain_text import without_controls
from trimtab.records import UserError

EXIT_DONE = 0
EXIT_NOT_MET = 1
EXIT_USAGE = 2
EXIT_FAILED = 3
EXIT_INTERRUPTED = 130


def report_error(error: BaseException, debug: bool) -> int:
    """Prints what is wrong and what to do; returns the exit code."""
    if debug and not isinstance(error, KeyboardInterrupt | click.Abort):
        traceback.print_exception(error)
    code, message, advice = _explain(error)
    for text in (message, f"  {advice}" if advice else ""):
        if text:
            click.echo(without_controls(text, keep="\n\t"), err=True)
    return code


def _explain(error: BaseException) -> tuple[int, str, str]:
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return EXIT_INTERRUPTED, "interrupted", ""
    if isinstance(error, UserError):
        return EXIT_USAGE, f"error: {error.message}", error.advice
    if isinstance(error, click.UsageError):
        context = error.ctx
        help_hint = f"see `{context.command_path} --help`" if context else ""
        return EXIT_USAGE, f"error: {error.format_message()}", help_hint
    if isinstance(error, click.ClickException):
        return EXIT_USAGE, f"error: {error.format_message()}", ""
    if isinstance(error, DeviceUnreachable):
        return EXIT_FAILED, f"error: {error}", error.advice
    if isinstance(error, TrimtabError):
        return EXIT_FAILED, f"error: {error.message}", error.help
    if isinstance(error, OSError):
        return EXIT_USAGE, f"error: {error}", "check the file, its permissions and the free space"
    what = f"{type(error).__name__}: {error}".splitlines()[0]
    return EXIT_FAILED, f"error: {what}", "this is a fault of trimtab: please report it (--debug)"


def warn(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201 - the command line's own voice
