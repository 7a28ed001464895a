"""``trimtab demo`` and ``trimtab init``: a small real task to see the loop, and to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from trimtab.cli.dispatching import take_dispatch
from trimtab.cli.errors import EXIT_DONE
from trimtab.cli.options import agreement_options, measure_options, output_option, overridden


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo-out"),
    show_default=True,
    help="Where report.html and run.json go.",
)
@measure_options
@agreement_options
@output_option
def demo(out: Path, output: str, **measure: Any) -> int:
    """Run the whole loop on this machine: handwritten digits, a small network, eight variants.

    Trains it in seconds, compresses it, measures every variant through the local agent, decides.
    `trimtab init` writes the same task as a project to keep.

    \b
    Example: trimtab demo --out demo-out
    """
    from trimtab.campaign.project_run import build_project
    from trimtab.campaign.session import scratch_folder
    from trimtab.cli.measuring import write_page
    from trimtab.cli.project import (
        measure_built,
        print_run,
        run_exit_code,
        say,
        write_json,
    )
    from trimtab.scaffold import write_starting_project

    with scratch_folder() as folder:  # nothing of an earlier demo is found again
        write_starting_project(folder)
        project = folder / "trimtab.toml"
        dispatch = take_dispatch(measure)
        changes = overridden(measure)
        built = build_project(project, say, name="demo", changes=changes, dispatch=dispatch)
        finished, _ = measure_built(built)
    print_run(finished, output)
    write_page(finished, out / "report.html")
    write_json(finished, out / "run.json")
    return run_exit_code(finished)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
@click.option(
    "--model",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Start from this .onnx or .tflite file instead.",
)
def init(folder: Path, model: Path | None) -> int:
    """Write trimtab.toml and task.py into DIR to start from: the demo's task, commented.

    \b
    Examples:
      trimtab init my-project && cd my-project && trimtab run
      trimtab init my-project --model model.onnx
    """
    from trimtab.scaffold import write_file_project, write_starting_project

    written = [write_file_project(folder, model)] if model else write_starting_project(folder)
    for path in written:
        click.echo(f"wrote {path}", err=True)
    click.echo(f"next: cd {folder} && trimtab run", err=True)
    return EXIT_DONE
