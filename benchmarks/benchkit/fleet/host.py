"""The host of a fleet as a process of its own, so that what it uses is its alone.

python -m benchkit.fleet.host PLAN.json: prints one line of JSON with what it did and used.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from trimtab.cli.progress import progress_display
from trimtab.fleet.inventory import InventoryDevice
from trimtab.records import Run
from trimtab.store import RunStore

from benchkit.fleet.dispatching import make_models, measure_jobs


@dataclass(frozen=True)
class HostPlan:
    """``devices``: name and address. ``folder`` takes the store and the scratch files."""

    devices: tuple[tuple[str, str], ...]
    jobs_per_device: int
    folder: str

    def to_json(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class HostUse:
    """``cpu_s``: of the run, this process alone; ``start_cpu_s``: of what it imported before,
    and of preparing the models.

    ``jobs``: for each result its device, its job and what failed ("": nothing).
    """

    jobs: tuple[tuple[str, str, str], ...]
    cpu_s: float
    start_cpu_s: float
    wall_s: float
    peak_memory_bytes: int
    start_memory_bytes: int
    stored_bytes: int


def use_from(document: dict[str, Any]) -> HostUse:
    jobs = tuple((device, job, failure) for device, job, failure in document["jobs"])
    return HostUse(**{**document, "jobs": jobs})


def main(plan_path: str) -> None:
    plan = json.loads(Path(plan_path).read_text())
    folder = Path(plan["folder"])
    devices = [InventoryDevice(name, address) for name, address in plan["devices"]]
    models = make_models(folder / "models", plan["jobs_per_device"])
    start_cpu_s, start_memory, began = _cpu_s(), _memory_bytes(), time.monotonic()
    with (
        Path(os.devnull).open("w") as nowhere,
        progress_display(Console(file=nowhere)) as on_progress,
        RunStore(f"sqlite:///{folder / 'runs.db'}") as store,
    ):
        run = measure_jobs(devices, models, folder, store, on_progress)
    use = HostUse(
        jobs=_jobs(run),
        cpu_s=_cpu_s() - start_cpu_s,
        start_cpu_s=start_cpu_s,
        wall_s=time.monotonic() - began,
        peak_memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        start_memory_bytes=start_memory,
        stored_bytes=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
    )
    print(json.dumps(asdict(use)))


def _jobs(run: Run) -> tuple[tuple[str, str, str], ...]:
    return tuple(
        (each.device.name, each.job_id, each.error.message if each.error else "")
        for each in run.results
    )


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _memory_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


if __name__ == "__main__":
    main(sys.argv[1])
