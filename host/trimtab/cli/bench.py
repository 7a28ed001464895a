"""``trimtab bench``: any model files on any devices, without a project."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from trimtab.artifact_files import artifact_from_file
from trimtab.campaign.dispatching import rules_of
from trimtab.campaign.fleet import Campaign
from trimtab.campaign.interleave import Duel
from trimtab.campaign.plan import Candidate, Choices
from trimtab.campaign.reference import with_reference
from trimtab.campaign.selected_devices import local_agent_state, select_devices
from trimtab.campaign.session import measure_into, scratch_folder
from trimtab.cli.dispatching import dispatch_options, take_dispatch
from trimtab.cli.interleave import (
    for_comparing,
    refuse_jobs_apart,
    run_comparison,
    say_comparing,
)
from trimtab.cli.measuring import (
    exit_code,
    print_json,
    print_run_results,
    progress_console,
    report_failures,
    say_policy,
    write_page,
)
from trimtab.cli.options import (
    agreement_options,
    device_option,
    explicit,
    measure_options,
    output_option,
    parse_options,
    parse_shapes,
    parse_threads,
    reference_option,
    report_option,
    with_policy,
)
from trimtab.cli.progress import progress_display
from trimtab.evaluation_file import load_evaluation, load_inputs
from trimtab.home import store_url
from trimtab.project import DispatchSettings, MeasureSettings, changed
from trimtab.records import Run, UserError
from trimtab.store import RunStore, new_run_id


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@device_option
@click.option("--runtime", "runtimes", multiple=True, help="onnxruntime, litert, null; repeatable.")
@click.option("--threads", multiple=True, metavar="N[,N...]", help="[default: 1]")
@click.option("--accelerator", help="[default: cpu]")
@click.option(
    "--shape", "shapes", multiple=True, metavar="NAME=1x3x224x224", help="Open dimensions."
)
@click.option(
    "--option", "options", multiple=True, metavar="RUNTIME.KEY=VALUE", help="litert.xnnpack=off"
)
@click.option("--inputs", type=click.Path(path_type=Path), help=".npz with one tensor an input.")
@click.option("--eval", "evaluation", type=click.Path(path_type=Path), help=".npz with labels.")
@click.option("--compare", is_flag=True, help="Two in turns, block by block: which is faster?")
@reference_option
@agreement_options
@dispatch_options
@measure_options
@output_option
@report_option
def bench(
    files: tuple[Path, ...],
    devices: tuple[str, ...],
    inputs: Path | None,
    evaluation: Path | None,
    compare: bool,
    output: str,
    **measure: Any,
) -> int:
    """Measure model FILEs (.onnx, .tflite, .pte, .xml, .pt2, .pt) on devices.

    Latency, memory, and accuracy with --eval.

    \b
    Examples:
      trimtab bench model.onnx model.tflite
      trimtab bench model.onnx --device pi5 --device local --threads 1,2
      trimtab bench model.onnx --eval test.npz --format json
      trimtab bench model.onnx --profile
      trimtab bench model.onnx --batch-size 8
      trimtab bench model.onnx --rate 30
      trimtab bench model.onnx --sustain 10m
      trimtab bench int8.tflite --reference float.tflite --inputs images.npz
      trimtab bench model.onnx --set warmup_s=2s --set max_retries=0
      trimtab bench before.onnx after.onnx --compare
    """
    reference, report = measure.pop("reference"), measure.pop("report")
    dispatch = DispatchSettings().model_copy(update=take_dispatch(measure))
    given = _given(measure)
    _check_limits(given, reference)
    settings = changed(MeasureSettings(), for_comparing(given) if compare else with_policy(given))
    if compare:
        _refuse_beside_comparing(settings, evaluation or reference or report)
        refuse_jobs_apart(dispatch)
    base = replace(settings.base, runtime="")
    choices = Choices(base, given.get("runtimes", ()), threads=settings.threads)
    candidates = tuple(Candidate(artifact_from_file(_existing(path))) for path in files)
    with scratch_folder() as scratch:
        if compare:
            duel = Duel(
                devices=select_devices(devices),
                candidates=candidates,
                choices=choices,
                schedule=say_comparing(choices.base),
                scratch=scratch,
                state=local_agent_state(),
                inputs=load_inputs(inputs, scratch) if inputs else None,
                rules=rules_of(dispatch),
                deadline_s=dispatch.deadline_s,
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
            profile=settings.profile,
            deadline_s=dispatch.deadline_s,
        )
        if reference is not None:
            campaign = with_reference(campaign, reference)
        run = _measure(campaign, dispatch)
    _print(run, output)
    if report is not None:
        write_page(run, report)
    return exit_code(run.results, None, evaluation is not None, reference is not None)


def _given(measure: dict[str, Any]) -> dict[str, Any]:
    """What the command line says of [measure], by the names there."""
    own = {
        "runtimes": measure["runtimes"],
        "threads": parse_threads(measure["threads"]) if measure["threads"] else (),
        "accelerator": measure["accelerator"],
        "input_shapes": parse_shapes(measure["shapes"]),
        "runtime_options": parse_options(measure["options"]),
    }
    given = explicit(measure)
    for name, value in own.items():
        if value and name in given:
            raise UserError(f"--set {name}: {name} is given twice", "give it once")
    return {**{name: value for name, value in own.items() if value}, **given}


def _check_limits(given: dict[str, Any], reference: Path | None) -> None:
    if reference is None and not given.keys().isdisjoint(("min_sqnr_db", "min_agreement")):
        raise UserError("a limit of agreement, but nothing to agree with", "give --reference FILE")


def _refuse_beside_comparing(settings: MeasureSettings, other: Path | None) -> None:
    paced = settings.rate_hz is not None or settings.sustain_s is not None
    if other or settings.profile or paced:
        raise UserError(
            "--compare with --eval, --profile, --reference, --rate, --sustain or --report: "
            "only the ratio is measured",
            "ask for these in a command of their own",
        )


def _measure(campaign: Campaign, dispatch: DispatchSettings) -> Run:
    created = datetime.now(UTC)
    name = "bench " + " ".join(candidate.label for candidate in campaign.candidates)
    run = Run(new_run_id(created), name, created.isoformat(timespec="seconds"), (), ())
    with progress_display(progress_console()) as on_progress, RunStore(store_url()) as store:
        rules = rules_of(dispatch, run.run_id)
        return measure_into(store, run, replace(campaign, rules=rules), on_progress)


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise UserError(f"{path}: no such file", "name model files, such as .onnx or .tflite")
    return path


def _print(run: Run, output: str) -> None:
    from trimtab.report import json_output

    report_failures(run.results)
    if output == "json":
        print_json(json_output.bench_json(run.results))
    else:
        print_run_results(run, output)
