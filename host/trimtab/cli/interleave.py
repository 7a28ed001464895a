"""What ``trimtab bench --compare`` does: measure two in turns and say which is faster."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click
from trimtab_protos.errors import Failure

from trimtab.campaign.interleave import Compared, Duel, compare_on_devices
from trimtab.cli.errors import EXIT_DONE, EXIT_FAILED
from trimtab.cli.measuring import print_json, progress_console
from trimtab.cli.progress import progress_display
from trimtab.fleet.jobs import BlockSchedule
from trimtab.measure_policies import (
    BLOCKS,
    DEFAULT_POLICY,
    comparing_fields,
    describe_comparing,
)
from trimtab.project import DispatchSettings
from trimtab.records import MeasurementSettings, UserError

_OUTPUTS = ("table", "json")


def for_comparing(given: dict[str, Any]) -> dict[str, Any]:
    """More and shorter repeats than for latencies, where the command line says nothing else."""
    return {**comparing_fields(given.get("policy", DEFAULT_POLICY)), **given}


def refuse_jobs_apart(dispatch: DispatchSettings) -> None:
    if dispatch.arms_per_job is not None:
        raise UserError(
            "--compare with --arms-per-job: the two take turns, in one job", "leave one out"
        )


def say_comparing(settings: MeasurementSettings) -> BlockSchedule:
    """The policy's blocks; what is in force is said on standard error."""
    schedule = BlockSchedule(blocks=BLOCKS[settings.policy])
    text = describe_comparing(settings, schedule.blocks, schedule.block_duration_s)
    click.echo(f"measure: {text}", err=True)
    return schedule


def run_comparison(duel: Duel, output: str) -> int:
    if output not in _OUTPUTS:
        raise UserError(f"--compare --format {output}: not available", "use table or json")
    with progress_display(progress_console()) as on_progress:
        compared = asyncio.run(compare_on_devices(duel, on_progress))
    _print(compared, output)
    failed = any(isinstance(each.outcome, Failure) for each in compared)
    return EXIT_FAILED if failed else EXIT_DONE


def _print(compared: Sequence[Compared], output: str) -> None:
    from trimtab.report import comparison

    for each in compared:
        if isinstance(each.outcome, Failure):
            kind, message = each.outcome.failure_class, each.outcome.message
            click.echo(f"failed: {each.device.name}: {kind}: {message}", err=True)
        elif output == "table":
            lines = comparison.comparison_lines(each.device, each.arms, each.outcome)
            click.echo("\n".join(lines))
    if output == "json":
        comparisons = [_json(each) for each in compared]
        print_json({"schema": comparison.COMPARE_SCHEMA, "comparisons": comparisons})
    elif not all(isinstance(each.outcome, Failure) for each in compared):
        click.echo(comparison.ONLY_THE_RATIO)


def _json(compared: Compared) -> dict[str, object]:
    from trimtab.report.comparison import comparison_json

    device = {"device": asdict(compared.device)}
    if isinstance(compared.outcome, Failure):
        failure = compared.outcome
        error = {"class": failure.failure_class, "message": failure.message}
        return {**device, "error": error}
    return {**device, "error": None, **comparison_json(compared.arms, compared.outcome)}
