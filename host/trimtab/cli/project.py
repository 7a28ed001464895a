"""``trimtab run`` and ``trimtab compress``: the project in a folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from trimtab.campaign.project_run import Built, build_project, compress_project, run_built
from trimtab.campaign.session import scratch_folder
from trimtab.campaign.unfinished import find_unfinished
from trimtab.cli.dispatching import dispatch_options, take_dispatch
from trimtab.cli.errors import EXIT_DONE, EXIT_FAILED
from trimtab.cli.measuring import (
    exit_code,
    output_console,
    print_json,
    print_run_results,
    progress_console,
    report_failures,
    say_policy,
    write_page,
)
from trimtab.cli.options import (
    agreement_options,
    measure_options,
    output_option,
    overridden,
    project_device_option,
    report_option,
)
from trimtab.cli.progress import progress_display
from trimtab.home import store_url
from trimtab.plain_text import printable, without_controls
from trimtab.records import Run, UserError, Variant
from trimtab.store import RunStore

_PROJECT = click.argument(
    "project", default="trimtab.toml", type=click.Path(path_type=Path), metavar="[trimtab.toml]"
)


@click.command()
@_PROJECT
@project_device_option
@click.option("--resume", is_flag=True, help="Go on with this project's newest unfinished run.")
@click.option("--run", "run_id", metavar="RUN", help="With --resume: that one instead.")
@dispatch_options
@measure_options
@agreement_options
@output_option
@report_option
def run(
    project: Path,
    devices: tuple[str, ...],
    output: str,
    report: Path | None,
    resume: bool,
    run_id: str | None,
    **measure: Any,
) -> int:
    """Compress, push, measure and decide: the whole project.

    A run that was cut off, by whatever, goes on with --resume: what is measured is collected, and
    only what was cut off is measured again.

    \b
    Examples:
      trimtab run --report report.html
      trimtab run --device 'label:kind=pi5 and memory>=4GB'
      trimtab run --policy normal --set runtimes=litert --set threads=1,2
      trimtab run --resume
    """
    path = _file(project)
    if run_id is not None and not resume:
        raise UserError("--run without --resume", "give both, or neither")
    if devices and resume:
        raise UserError("--device with --resume: a run goes on where it began", "leave one out")
    resumed = find_unfinished(path, run_id) if resume else None
    dispatch = take_dispatch(measure)
    changes = overridden(measure)
    built = build_project(
        path, say, changes=changes, dispatch=dispatch, devices=devices, resumed=resume
    )
    finished, set_aside = measure_built(built, resumed)
    print_run(finished, output)
    if report is not None:
        write_page(finished, report)
    _say_set_aside(set_aside)
    return run_exit_code(finished)


@click.command()
@_PROJECT
@project_device_option
@click.option(
    "--format", "output", type=click.Choice(["table", "json"]), default="table", show_default=True
)
@click.option("--force", is_flag=True, help="Build even where nothing changed.")
def compress(project: Path, devices: tuple[str, ...], output: str, force: bool) -> int:
    """Make the project's variants only; where nothing changed since the last time, do nothing.

    --device names the one device that passes and targets measure on, where the project asks for
    that and does not name it there.

    \b
    Examples:
      trimtab compress
      trimtab compress --device label:kind=pi5
    """
    variants = compress_project(_file(project), say, force=force, devices=devices)
    if output == "json":
        rows = [_variant_row(variant) for variant in variants]
        print_json({"schema": "trimtab.variants/1", "variants": rows})
    else:
        _print_variants(variants)
    failed = any(variant.failure is not None for variant in variants)
    return EXIT_FAILED if failed else EXIT_DONE


def say(text: str) -> None:
    click.echo(f"compress: {text}", err=True)


def measure_built(
    built: Built, resumed: Mapping[str, Any] | None = None
) -> tuple[Run, Mapping[str, str]]:
    """The run, and the devices of which something is left undone."""
    say_policy(built.project.measure.base)
    with (
        scratch_folder() as scratch,
        progress_display(progress_console()) as on_progress,
        RunStore(store_url()) as store,
    ):
        try:
            finished = run_built(built, scratch, store, on_progress, resumed, _say_resumed)
        except KeyboardInterrupt:
            click.echo("what is measured is kept: `trimtab run --resume` goes on", err=True)
            raise
    return finished.run, finished.set_aside


def _say_resumed(run_id: str) -> None:
    click.echo(f"going on with run {run_id}", err=True)


def _say_set_aside(set_aside: Mapping[str, str]) -> None:
    for device, reason in set_aside.items():
        click.echo(f"set aside: {device}: {reason}", err=True)
    if set_aside:
        click.echo("  `trimtab run --resume` tries again what is missing", err=True)


def print_run(finished: Run, output: str) -> None:
    report_failures(finished.results)
    for variant in finished.variants:
        if variant.failure is not None:
            where = f"{variant.name} ({variant.format})"
            click.echo(f"not made: {where}: {variant.failure.message}", err=True)
    print_run_results(finished, output)


def run_exit_code(finished: Run) -> int:
    if any(variant.failure is not None for variant in finished.variants):
        return EXIT_FAILED
    return exit_code(finished.results, finished.decision, evaluated=False)


def write_json(finished: Run, path: Path) -> None:
    from trimtab.report.json_output import run_json

    text = json.dumps(run_json(finished), indent=2, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")
    click.echo(f"wrote {path}", err=True)


def _file(project: Path) -> Path:
    return project / "trimtab.toml" if project.is_dir() else project


def _variant_row(variant: Variant) -> dict[str, Any]:
    artifact = variant.artifact
    return {
        "name": variant.name,
        "format": variant.format,
        "recipe": [dict(step) for step in variant.recipe],
        "lineage": list(variant.lineage),
        "layers": [asdict(each) for each in variant.layers],
        "origin": asdict(variant.origin) if variant.origin is not None else None,
        "file": str(artifact.files[0].path) if artifact else None,
        "sha256": artifact.sha256 if artifact else None,
        "size_bytes": artifact.size_bytes if artifact else None,
        "error": variant.failure.message if variant.failure else None,
    }


def _print_variants(variants: Sequence[Variant]) -> None:
    table = Table("variant", "format", "size", "file, or why there is none")
    for variant in variants:
        row = _variant_row(variant)
        size = f"{row['size_bytes'] / 1e3:.1f} kB" if row["size_bytes"] is not None else ""
        file, error = without_controls(row["file"] or ""), printable(row["error"] or "")
        shown = (variant.name, variant.format, size, file or error)
        table.add_row(*map(Text, shown))
    output_console().print(table)
