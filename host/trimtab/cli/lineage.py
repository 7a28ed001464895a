"""How variants were made: shown, and done again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trimtab.cli.errors import EXIT_DONE, EXIT_FAILED, EXIT_NOT_MET
from trimtab.cli.measuring import output_console, print_json
from trimtab.home import store_url
from trimtab.records import Run, UserError, Variant
from trimtab.store import RunStore

if TYPE_CHECKING:
    from trimtab.campaign.rebuild import Rebuild


def print_variants(run: Run) -> None:
    from trimtab.report.origin_terminal import print_facts

    print_facts(run.variants, output_console())
    if run.variants:
        click.echo(
            f"trimtab runs show {run.run_id} --variant NAME: how that one was made", err=True
        )


def show_lineage(run: Run, name: str, output: str) -> int:
    from trimtab.report.json_output import lineage_json
    from trimtab.report.origin_terminal import print_lineage

    chosen = _named(run, name)
    if output == "json":
        print_json(lineage_json(run, chosen))
    elif output == "table":
        print_lineage(run, chosen, output_console())
    else:
        raise UserError(f"--variant with --format {output}", "give --format table or json")
    return EXIT_DONE


@click.command()
@click.argument("run_id", metavar="RUN")
@click.argument("variant")
@click.option("--format", "model_format", metavar="FORMAT", help="Where it was made in several.")
@click.option(
    "--task",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="The task file or model file, where it stands elsewhere now or the run was imported.",
)
@click.option(
    "-o",
    "--out",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default="rebuilt",
    show_default=True,
    metavar="DIR",
    help="Where the file is written.",
)
def rebuild(
    run_id: str, variant: str, model_format: str | None, task: Path | None, folder: Path
) -> int:
    """Make a variant of a kept run again, from its recipe, seed and task file.

    Says first what is not as it was then, and afterwards whether the file is the same, byte for
    byte (0), or another one (1). Nothing comes from a cache.

    \b
    Example: trimtab runs rebuild 20261101-1200 int8 --format onnx
    """
    from trimtab.campaign.rebuild import rebuild_variant

    with RunStore(store_url()) as store:
        run = store.load(run_id)
    stored = _one(_named(run, variant), model_format)
    done = rebuild_variant(stored, folder, task, say)
    say(_verdict(done))
    if done.variant.artifact is None:
        return EXIT_FAILED
    click.echo(done.variant.artifact.files[0].path)
    return EXIT_DONE if done.is_identical else EXIT_NOT_MET


def say(text: str) -> None:
    click.echo(f"rebuild: {text}", err=True)


def _verdict(done: Rebuild) -> str:
    stored, made = done.stored.artifact, done.variant.artifact
    if made is None or stored is None:
        failure = done.variant.failure
        return f"it cannot be made now: {failure.message if failure else 'no reason given'}"
    if done.is_identical:
        return f"byte-identical: sha256 {made.sha256}"
    why = "with what changed since" if done.differences else "though nothing is known to differ"
    return f"ANOTHER FILE, {why}: sha256 {made.sha256}, was {stored.sha256}"


def _named(run: Run, name: str) -> list[Variant]:
    found = [each for each in run.variants if each.name == name]
    if not found:
        known = ", ".join(dict.fromkeys(each.name for each in run.variants)) or "none"
        raise UserError(f"run {run.run_id} has no variant {name}", f"it has {known}")
    return found


def _one(variants: Sequence[Variant], model_format: str | None) -> Variant:
    made = [each for each in variants if each.artifact is not None]
    fitting = [each for each in made if model_format in (None, each.format)]
    if len(fitting) == 1:
        return fitting[0]
    name, formats = variants[0].name, ", ".join(each.format for each in made)
    if not made:
        raise UserError(f"{name} was not made in that run", "rebuild another variant")
    if fitting:
        raise UserError(f"{name} was made in several formats", f"give --format, one of {formats}")
    raise UserError(f"{name} was not made as {model_format}", f"it was made as {formats}")
