"""``trimtab bench``: any model files on any devices, without a project."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from trimtab.artifact_files import artifact_from_file
from trimtab.campaign.fleet import Campaign
from trimtab.campaign.interleave import Duel
from trimtab.campaign.plan import Candidate, Choices
from trimtab.campaign.reference import with_reference
from trimtab.campaign.session import (
    local_agent_state,
    measure_into,
    scratch_folder,
    select_devices,
)
from trimtab.cli.interleave import for_comparing, run_comparison
from trimtab.cli.measuring import (
    exit_code,
    print_json,
    print_run_results,
    progress_console,
    report_failures,
    say_policy,
)
from trimtab.cli.options import (
    device_option,
    measure_options,
    output_option,
    overridden,
    parse_options,
    parse_shapes,
    parse_threads,
    reference_options,
)
from trimtab.cli.progress import progress_display
from trimtab.evaluation_file import load_evaluation, load_inputs
from trimtab.home import store_url
from trimtab.measure.agreement import DEFAULT_LIMITS, AgreementLimits
from trimtab.records import MeasurementSettings, Run, UserError
from trimtab.store import RunStore, new_run_id


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@device_option
@click.option("--runtime", "runtimes", multiple=True, help="onnxruntime, litert, null; repeatable.")
@click.option("--threads", multiple=True, default=("1",), metavar="N[,N...]", show_default=True)
@click.option("--accelerator", default="cpu", show_default=True)
@click.option(
    "--shape", "shapes", multiple=True, metavar="NAME=1x3x224x224", help="Open dimensions."
)
@click.option(
    "--option", "options", multiple=True, metavar="RUNTIME.KEY=VALUE", help="litert.xnnpack=off"
)
@click.option("--inputs", type=click.Path(path_type=Path), help=".npz with one tensor an input.")
@click.option("--eval", "evaluation", type=click.Path(path_type=Path), help=".npz with labels.")
@click.option("--profile", is_flag=True, help="Time each operator too, in processes of its own.")
@click.option("--compare", is_flag=True, help="Two in turns, block by block: which is faster?")
@reference_options
@measure_options
@output_option
def bench(
    files: tuple[Path, ...],
    devices: tuple[str, ...],
    inputs: Path | None,
    evaluation: Path | None,
    profile: bool,
    compare: bool,
    output: str,
    **measure: object,
) -> int:
    """Measure model FILEs (.onnx, .tflite) on devices: latency, memory, and accuracy with --eval.

    \b
    Examples:
      trimtab bench model.onnx model.tflite
      trimtab bench model.onnx --device pi5 --device local --threads 1,2
      trimtab bench model.onnx --eval test.npz --format json
      trimtab bench model.onnx --profile
      trimtab bench model.onnx --batch-size 8
      trimtab bench model.onnx --rate 30
      trimtab bench int8.tflite --reference float.tflite --inputs images.npz
      trimtab bench before.onnx after.onnx --compare
    """
    reference, limits = _reference(measure)
    policy = measure["policy"]
    given = overridden({**measure, "policy": None})
    choices = _choices(measure)
    candidates = tuple(Candidate(artifact_from_file(_existing(path))) for path in files)
    if compare and (evaluation or profile or reference or choices.base.rate_hz is not None):
        raise UserError(
            "--compare with --eval, --profile, --reference or --rate: only the ratio is measured",
            "ask for these in a command of their own",
        )
    with scratch_folder() as scratch:
        if compare:
            choices, schedule = for_comparing(choices, given, policy)  # type: ignore[arg-type]
            duel = Duel(
                devices=select_devices(devices),
                candidates=candidates,
                choices=choices,
                schedule=schedule,
                scratch=scratch,
                state=local_agent_state(),
                inputs=load_inputs(inputs, scratch) if inputs else None,
            )
            return run_comparison(duel, output)
        say_policy(choices.base)
        campaign = Campaign(
            devices=select_devices(devices),
            candidates=candidates,
            choices=choices,
            scratch=scratch,
            state=local_agent_state(),
            evaluation=load_evaluation(evaluation, scratch) if evaluation else None,
            inputs=load_inputs(inputs, scratch) if inputs else None,
            profile=profile,
        )
        if reference is not None:
            campaign = with_reference(campaign, reference, limits)
        run = _measure(campaign)
    _print(run, output)
    return exit_code(run.results, None, evaluation is not None, reference is not None)


def _reference(measure: dict[str, object]) -> tuple[Path | None, AgreementLimits]:
    reference = measure.pop("reference")
    names = ("min_sqnr_db", "min_agreement")
    given = {name: value for name in names if (value := measure.pop(name)) is not None}
    if given and reference is None:
        raise UserError("a limit of agreement, but nothing to agree with", "give --reference FILE")
    return reference, replace(DEFAULT_LIMITS, **given)  # type: ignore[arg-type, return-value]


def _measure(campaign: Campaign) -> Run:
    created = datetime.now(UTC)
    name = "bench " + " ".join(candidate.label for candidate in campaign.candidates)
    run = Run(new_run_id(created), name, created.isoformat(timespec="seconds"), (), ())
    with progress_display(progress_console()) as on_progress, RunStore(store_url()) as store:
        return measure_into(store, run, campaign, on_progress)


def _choices(measure: dict[str, object]) -> Choices:
    base = MeasurementSettings(
        runtime="",
        accelerator=str(measure.pop("accelerator")),
        input_shapes=parse_shapes(measure.pop("shapes")),  # type: ignore[arg-type]
        runtime_options=parse_options(measure.pop("options")),  # type: ignore[arg-type]
    )
    runtimes = measure.pop("runtimes")
    threads = parse_threads(measure.pop("threads"))  # type: ignore[arg-type]
    return Choices(replace(base, **overridden(measure)), runtimes, threads)  # type: ignore[arg-type]


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise UserError(f"{path}: no such file", "name .onnx or .tflite files")
    return path


def _print(run: Run, output: str) -> None:
    from trimtab.report import json_output

    report_failures(run.results)
    if output == "json":
        print_json(json_output.bench_json(run.results))
    else:
        print_run_results(run, output)
