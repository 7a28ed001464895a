"""What it costs a host to take a job's events in and to keep them, without network or dispatch.

python -m benchkit.fleet.serialising EVENTS FOLDER JOBS_PER_DEVICE: prints one line of JSON. The
same functions as in a run, over the events of real jobs: each message is parsed, encoded and framed
for the ledger, and decoded; each file is synced; each device's results are written to the store in
one transaction.
"""

from __future__ import annotations

import json
import resource
import struct
import sys
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from trimtab.artifact_files import artifact_from_file
from trimtab.fleet import convert
from trimtab.fleet.collect import JobCollector
from trimtab.fleet.jobs import ArmRequest, JobUpdate
from trimtab.fleet.ledger.event_file import EventFile
from trimtab.measure.summarize import build_result
from trimtab.records import DeviceRef, Result, Run
from trimtab.store import RunStore, new_run_id
from trimtab_protos.v1 import benchmark_pb2

from benchkit.fleet.dispatching import SETTINGS

_HEAD = struct.Struct("<I")
Job = list[bytes]


@dataclass(frozen=True)
class SerialisingCost:
    """Processor time in seconds for all ``jobs`` together."""

    jobs: int
    event_bytes: int
    events_cpu_s: float
    store_cpu_s: float

    @property
    def ms_per_job(self) -> float:
        return 1e3 * (self.events_cpu_s + self.store_cpu_s) / self.jobs


def write_jobs(path: Path, jobs: Sequence[Job]) -> None:
    with path.open("wb") as file:
        for job in jobs:
            file.write(_HEAD.pack(len(job)))
            for message in job:
                file.write(_HEAD.pack(len(message)) + message)


def main(events: str, folder: str, jobs_per_device: str) -> None:
    jobs = list(_read_jobs(Path(events)))
    at = Path(folder)
    began = _cpu_s()
    taken = [_take_in(job, at / f"{uuid.uuid4().hex}.bin") for job in jobs]
    events_cpu_s = _cpu_s() - began
    results = [_result(updates, at) for updates in taken]
    created = datetime.now(UTC)
    run = Run(new_run_id(created), "serialising", created.isoformat(), (), ())
    with RunStore(f"sqlite:///{at / 'serialising.db'}") as store:
        store.begin(run)
        began = _cpu_s()
        size = int(jobs_per_device)
        for start in range(0, len(results), size):
            store.set_results(run.run_id, f"device-{start}", results[start : start + size])
        store_cpu_s = _cpu_s() - began
    event_bytes = sum(len(message) for job in jobs for message in job)
    print(json.dumps(asdict(SerialisingCost(len(jobs), event_bytes, events_cpu_s, store_cpu_s))))


def _take_in(job: Job, path: Path) -> list[JobUpdate]:
    updates = []
    with EventFile(path) as file:
        for message in job:
            event = benchmark_pb2.WatchJobResponse.FromString(message).event
            file.append(event.SerializeToString())
            updates.append(convert.job_update(event))
        file.sync()
    return updates


def _result(updates: Sequence[JobUpdate], folder: Path) -> Result:
    model = folder / "model.tflite"
    if not model.exists():
        model.write_bytes(b"null model")
    name = next(update.arm for update in updates if update.outcome is not None)
    arm = ArmRequest(name, artifact_from_file(model), SETTINGS)
    collector = JobCollector((arm,))
    for update in updates:
        collector.take(update)
    raw = collector.raw_arm(name, None, None)
    return build_result(raw, arm.artifact, arm.settings, DeviceRef("device", "", ""))


def _read_jobs(path: Path) -> Iterator[Job]:
    data = memoryview(path.read_bytes())
    at = 0

    def number() -> int:
        nonlocal at
        (value,) = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        return int(value)

    while at < len(data):
        job = []
        for _ in range(number()):
            size = number()
            job.append(bytes(data[at : at + size]))
            at += size
        yield job


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main(*sys.argv[1:])
