"""One command's worth of measuring: a scratch folder, the devices, a run in the store."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from trimtab.campaign.fleet import Campaign, measure_fleet
from trimtab.fleet.progress import OnProgress
from trimtab.logs import bound
from trimtab.records import Result, Run, UserError
from trimtab.store import RunStore


@contextmanager
def scratch_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="trimtab-") as folder:
        yield Path(folder)


def measure_into(store: RunStore, run: Run, campaign: Campaign, on_progress: OnProgress) -> Run:
    """Measures, keeping each device's results in the store as soon as they are there.

    Of a run that is gone on with they take the place of those that an earlier process kept.
    """
    store.begin(run)

    def keep(results: Sequence[Result]) -> None:
        if results:
            store.set_results(run.run_id, results[0].device.name, results)

    with bound(run_id=run.run_id):
        try:
            results = asyncio.run(measure_fleet(campaign, on_progress, keep))
        except BaseException:  # Ctrl-C above all
            with suppress(UserError):  # the reason it ended for is the one to be told
                store.note_interrupted(run.run_id)
            raise
    return replace(run, results=tuple(results))
