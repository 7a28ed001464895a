"""The command line: parse, call, print; no logic."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import click

from trimtab import __version__

# Loaded when called: `trimtab devices list` must not wait for plotly.
_COMMANDS = {
    "bench": "trimtab.cli.bench",
    "check": "trimtab.cli.check",
    "compare": "trimtab.cli.compare",
    "compress": "trimtab.cli.project",
    "decide": "trimtab.cli.runs",
    "demo": "trimtab.cli.demo",
    "devices": "trimtab.cli.devices",
    "fleet": "trimtab.cli.fleet",
    "init": "trimtab.cli.demo",
    "policies": "trimtab.cli.policies",
    "report": "trimtab.cli.runs",
    "run": "trimtab.cli.project",
    "runs": "trimtab.cli.runs",
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(_COMMANDS[cmd_name])
        command: click.Command = getattr(module, cmd_name)
        return command


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 a requirement is not met, 2 wrong usage or file, "
    "3 a device or job failed, 130 interrupted.",
)
@click.version_option(__version__, prog_name="trimtab")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.option(
    "--log-file",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="TRIMTAB_LOG",
    help="Append what is done on which device there, one JSON object a line.",
)
def cli(debug: bool, log_file: Path | None) -> None:
    """Compress a trained model, measure every variant on the real devices, choose what to ship.

    \b
    Examples:
      trimtab demo                      the whole loop on this machine, on a small real task
      trimtab bench model.onnx          measure a file on this machine
      trimtab run                       compress, measure, decide: the project in this folder
    """
    if log_file is not None:
        from trimtab.logs import log_to

        log_to(log_file)


def main() -> None:
    """The console script: runs the command and exits with one of the documented codes."""
    from trimtab.cli.errors import EXIT_DONE, report_error, warn
    from trimtab.fleet.identity.expiry import told

    debug = "--debug" in sys.argv[1:]
    try:
        code = cli(standalone_mode=False)
    except (Exception, KeyboardInterrupt) as error:
        code = report_error(error, debug)
    for line in told():  # last, where a long table does not push it out of sight
        warn(line)
    sys.exit(code if isinstance(code, int) else EXIT_DONE)
