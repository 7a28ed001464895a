"""``trimtab devices doctor``: what disturbs measuring, on all devices at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from trimtab.campaign.selected_devices import find_devices, local_agent_state
from trimtab.cli.errors import EXIT_DONE, EXIT_FAILED, EXIT_NOT_MET
from trimtab.cli.measuring import output_console, print_json
from trimtab.fleet.doctor import Examined, NotExamined, examine_devices


@click.command()
@click.argument("selectors", nargs=-1, metavar="[SELECTOR]...")
@click.option("--all-findings", is_flag=True, help="Also those with nothing to do.")
@click.option(
    "--format", "output", type=click.Choice(["table", "json"]), default="table", show_default=True
)
def doctor(selectors: tuple[str, ...], all_findings: bool, output: str) -> int:
    """What the devices can measure, and what disturbs them now; all at once, some fifteen seconds.

    It looks and changes nothing; a device on which a job runs is left alone. Exit code 0; 1 where
    latencies measured now would be INVALID; 3 where a device was not examined: it does not answer,
    does not let this host examine it, or a job runs there.

    \b
    Examples:
      trimtab devices doctor
      trimtab devices doctor label:kind=pi5 --format json
    """
    selection = find_devices(selectors or ("all",), silent_will_do=True)
    found = asyncio.run(examine_devices(selection.devices, local_agent_state()))
    if output == "json":
        rows = [_row(name, answer) for name, answer in found.items()]
        print_json({"schema": "trimtab.fleet-doctor/1", "devices": rows})
    else:
        output_console().print(_table(found, all_findings))
    return EXIT_FAILED if selection.silent else _exit_code(found)


def _exit_code(found: Mapping[str, Examined | NotExamined]) -> int:
    answers = found.values()
    if any(isinstance(each, NotExamined) for each in answers):
        return EXIT_FAILED
    if any(isinstance(each, Examined) and each.voids_latency for each in answers):
        return EXIT_NOT_MET
    return EXIT_DONE


def _table(found: Mapping[str, Examined | NotExamined], all_findings: bool) -> Table:
    table = Table("device", "finding", "seen", "advice")
    for name, answer in found.items():
        if isinstance(answer, NotExamined):
            table.add_row(name, "not examined", escape(answer.reason), escape(answer.advice))
            continue
        told = [each for each in answer.findings if all_findings or each.outcome == "warning"]
        for finding in told:
            what = f"{finding.name} (voids latencies)" if finding.voids_latency else finding.name
            table.add_row(name, *map(escape, (what, finding.seen, finding.advice)))
        if not told:
            table.add_row(name, "nothing disturbs it", "", "")
    return table


def _row(name: str, answer: Examined | NotExamined) -> dict[str, Any]:
    if isinstance(answer, NotExamined):
        why = {"problem": answer.reason, "advice": answer.advice}
        return {"device": name, "answers": answer.answers, "examined": False, **why}
    findings = [asdict(each) for each in answer.findings]
    told = {"voids_latency": answer.voids_latency, "findings": findings}
    return {"device": name, "answers": True, "examined": True, **told}
