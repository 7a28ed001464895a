"""``trimtab check``: what a runtime on a device has for a model, asked before any run."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import click

from trimtab.artifact_files import artifact_from_file
from trimtab.campaign.check import Enquiry, check_fleet
from trimtab.campaign.plan import Candidate, Choices
from trimtab.campaign.selected_devices import local_agent_state, select_devices
from trimtab.cli.errors import EXIT_DONE, EXIT_FAILED, EXIT_NOT_MET, EXIT_USAGE
from trimtab.cli.measuring import output_console, print_json
from trimtab.cli.options import device_option, parse_options, parse_shapes
from trimtab.fleet.progress import Progress
from trimtab.records import MeasurementSettings, Support, UserError


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@device_option
@click.option("--runtime", "runtimes", multiple=True, help="Repeatable.  [default: by format]")
@click.option("--accelerator", "accelerators", multiple=True, help="Repeatable.  [default: cpu]")
@click.option(
    "--shape", "shapes", multiple=True, metavar="NAME=1x3x224x224", help="Open dimensions."
)
@click.option(
    "--option", "options", multiple=True, metavar="RUNTIME.KEY=VALUE", help="litert.xnnpack=off"
)
@click.option(
    "--format", "output", type=click.Choice(["table", "json"]), default="table", show_default=True
)
def check(
    files: tuple[Path, ...],
    devices: tuple[str, ...],
    runtimes: tuple[str, ...],
    accelerators: tuple[str, ...],
    shapes: tuple[str, ...],
    options: tuple[str, ...],
    output: str,
) -> int:
    """Ask devices whether their runtimes have all that model FILEs need; nothing is measured.

    Each file is loaded and run once there, on random inputs. The answer is the runtime's own: which
    operators run where, or what it refuses. A device that somebody else uses is waited for.

    Exit codes: 0 everything runs where asked; 1 something is refused, absent, or runs elsewhere;
    2 a file is no model file; 3 a device could not be asked.

    \b
    Examples:
      trimtab check model.onnx --device pi5
      trimtab check model.tflite --device coral --accelerator edgetpu
      trimtab check model.onnx --accelerator openvino --option onnxruntime.device_type=GPU
      trimtab check *.onnx *.tflite --device all --format json
    """
    candidates, unreadable = _candidates(files)
    base = MeasurementSettings(
        runtime="", input_shapes=parse_shapes(shapes), runtime_options=parse_options(options)
    )
    enquiry = Enquiry(
        devices=select_devices(devices),
        candidates=candidates,
        choices=Choices(base, tuple(dict.fromkeys(runtimes))),
        accelerators=tuple(dict.fromkeys(accelerators)) or ("cpu",),
        state=local_agent_state(),
    )
    found = asyncio.run(check_fleet(enquiry, _tell, _say)) if candidates else []
    _print(found, output)
    return max(support_exit_code(found), EXIT_USAGE if unreadable else EXIT_DONE)


def support_exit_code(found: Sequence[Support]) -> int:
    outcomes = {support.outcome for support in found}
    if "failed" in outcomes:
        return EXIT_FAILED
    return EXIT_DONE if outcomes <= {"supported"} else EXIT_NOT_MET


def _candidates(files: Sequence[Path]) -> tuple[tuple[Candidate, ...], int]:
    """What can be sent, and how many files cannot: a line for each of those."""
    candidates: list[Candidate] = []
    for path in files:
        try:
            candidates.append(Candidate(artifact_from_file(path)))
        except UserError as error:
            click.echo(f"error: {error.message}\n  {error.advice}", err=True)
    return tuple(candidates), len(files) - len(candidates)


def _tell(progress: Progress) -> None:
    click.echo(f"{progress.device}: {progress.text}", err=True)


def _say(found: Sequence[Support]) -> None:
    """One line for a device that could not be asked at all, while the others go on."""
    reasons = {support.reason for support in found}
    if found and len(reasons) == 1 and all(each.outcome == "failed" for each in found):
        click.echo(f"failed: {found[0].device}: {found[0].reason}", err=True)


def _print(found: Sequence[Support], output: str) -> None:
    from trimtab.report.support_view import print_support, support_json

    if output == "json":
        print_json(support_json(found))
    elif found:
        print_support(found, output_console())
