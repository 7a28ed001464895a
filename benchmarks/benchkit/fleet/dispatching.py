"""What a run of a few small jobs on every device is, through the product's own chain."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from trimtab.artifact_files import artifact_from_file
from trimtab.campaign.fleet import Campaign
from trimtab.campaign.plan import Candidate, Choices
from trimtab.campaign.session import measure_into
from trimtab.fleet.dispatch import Rules
from trimtab.fleet.inventory import InventoryDevice
from trimtab.fleet.ledger import RunLedger
from trimtab.fleet.progress import OnProgress
from trimtab.records import MeasurementSettings, Run
from trimtab.store import RunStore, new_run_id

# Some 20 samples of 20 µs in one process: what a job costs beside its measuring is what is asked.
SETTINGS = MeasurementSettings(
    runtime="",
    repeats=1,
    min_duration_s=0.001,
    min_samples=20,
    warmup_s=0.001,
    min_warmup=1,
    max_warmup_s=0.01,
    max_retries=0,
    runtime_options={"null.rounds": "2000"},
)


def make_models(folder: Path, count: int) -> tuple[Candidate, ...]:
    """Files that the null runtime takes for models, each with other content."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"model-{number}.tflite" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(f"null model {number}\n".encode() * 64)
    return tuple(Candidate(artifact_from_file(path)) for path in paths)


def measure_jobs(
    devices: Sequence[InventoryDevice],
    candidates: Sequence[Candidate],
    folder: Path,
    store: RunStore,
    on_progress: OnProgress,
) -> Run:
    """One job for each device and model; every result is in the store when it returns.

    ``folder`` takes the ledger, durable as that of ``trimtab run``, and is left as it is then.
    """
    created = datetime.now(UTC)
    run = Run(new_run_id(created), "fleet", created.isoformat(timespec="seconds"), (), ())
    ledger = RunLedger(folder / "unfinished" / run.run_id)
    campaign = Campaign(
        devices=tuple(devices),
        candidates=tuple(candidates),
        choices=Choices(SETTINGS, runtimes=("null",)),
        scratch=folder,
        state=folder / "local-agent",
        ledger=ledger,
        rules=Rules(arms_per_job=1, holder="benchmark"),
    )
    try:
        return measure_into(store, run, campaign, on_progress)
    finally:
        ledger.close()
