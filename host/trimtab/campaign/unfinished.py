"""Runs that are not at their end: begun, found again, gone on with."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from trimtab.campaign.fleet import Campaign
from trimtab.campaign.selected_devices import devices_again, local_agent_state
from trimtab.fleet.dispatch import let_jobs_go
from trimtab.fleet.ledger import RunLedger, read_plan
from trimtab.home import home
from trimtab.records import Run, UserError

_ANEW = "leave --resume out to begin a new run"


def unfinished_folder() -> Path:
    return home() / "unfinished"


def unfinished_runs() -> dict[str, Mapping[str, Any]]:
    """Plans by run id, the oldest first."""
    folders = sorted(unfinished_folder().glob("*")) if unfinished_folder().is_dir() else []
    plans = {folder.name: read_plan(folder) for folder in folders}
    return {run_id: plan for run_id, plan in plans.items() if plan}


def find_unfinished(project: Path, run_id: str | None) -> Mapping[str, Any]:
    """The plan of the newest run of the project, or of the one whose id begins so.

    Raises UserError where there is none.
    """
    path = str(project.resolve())
    found = {
        name: plan
        for name, plan in unfinished_runs().items()
        if plan["project"] == path and name.startswith(run_id or "")
    }
    if not found:
        which = f"run {run_id}" if run_id else "run"
        raise UserError(
            f"no unfinished {which} of {project}", f"`trimtab runs list` shows them; {_ANEW}"
        )
    return found[max(found)]


@contextmanager
def run_ledger(run_id: str, *, resumed: bool) -> Iterator[RunLedger]:
    """Kept, unless it is discarded in the block. Raises UserError where it is in use, or where
    another process has come to the end of the run that is to be ``resumed``."""
    ledger = RunLedger(unfinished_folder() / run_id)
    try:
        if resumed and not ledger.plan:
            ledger.discard()
            raise UserError(
                f"run {run_id} was ended by another process in the meantime",
                f"`trimtab runs show {run_id}` shows it",
            )
        yield ledger
    finally:
        ledger.close()


@contextmanager
def forget(run_id: str, warn: Callable[[str], None]) -> Iterator[None]:
    """What is kept of an unfinished run goes at the end of the block, which nobody can go on with
    meanwhile, also on the devices; one that does not hear of it is told of by ``warn``.

    Raises UserError where another process is measuring it.
    """
    folder = unfinished_folder()
    if not folder.is_dir() or run_id not in (each.name for each in folder.iterdir()):
        yield  # opening its ledger would make one
        return
    ledger = RunLedger(folder / run_id)
    try:
        yield
        _let_go_on_devices(ledger, warn)
        ledger.discard()
    finally:
        ledger.close()


def _let_go_on_devices(ledger: RunLedger, warn: Callable[[str], None]) -> None:
    devices = devices_again(ledger.plan.get("devices", ()))
    untold = asyncio.run(let_jobs_go(devices, local_agent_state(), ledger))
    for name, reason in untold.items():
        warn(f"{name} keeps the run's results until it needs the room: {reason}")


def plan_of(run: Run, project: Path, campaign: Campaign) -> dict[str, Any]:
    """What a run measures, by content: as JSON gives it back."""
    choices = asdict(campaign.choices)
    document = {
        "run_id": run.run_id,
        "name": run.name,
        "created": run.created,
        "project": str(project.resolve()),
        "devices": [device.name for device in campaign.devices],
        "variants": {each.label: each.artifact.sha256 for each in campaign.candidates},
        "measure": {**choices.pop("base"), **choices},
        "evaluation": campaign.evaluation.digest.sha256 if campaign.evaluation else None,
        "inputs": campaign.inputs.digest.sha256 if campaign.inputs else None,
        "profile": campaign.profile,
        "reduction": campaign.reduction,
    }
    plain: dict[str, Any] = json.loads(json.dumps(document, default=str))
    return plain


def check_same(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raises UserError, naming what is not as it was when the run was begun."""
    for part, kind in (("variants", "variant"), ("measure", "setting")):
        was, now_is = before[part], now[part]
        changed = sorted(name for name in {*was, *now_is} if was.get(name) != now_is.get(name))
        if changed:
            names = ", ".join(changed)
            raise UserError(f"run {before['run_id']} was begun with another {kind}: {names}", _ANEW)
    for part in ("evaluation", "inputs", "profile", "reduction"):
        if before[part] != now[part]:
            raise UserError(f"run {before['run_id']} was begun with another {part}", _ANEW)
