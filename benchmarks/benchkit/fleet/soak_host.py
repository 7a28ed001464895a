"""One host process that runs job after job, for as long as it is told to.

python -m benchkit.fleet.soak_host PLAN.json: for each line of standard input, a number, so many
jobs on every device; then one line of JSON with what this process holds, its garbage freed.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import sys
from pathlib import Path

import psutil
from rich.console import Console
from trimtab.cli.progress import progress_display
from trimtab.fleet.inventory import InventoryDevice
from trimtab.store import RunStore

from benchkit.fleet.dispatching import make_models, measure_jobs


def main(plan_path: str) -> None:
    plan = json.loads(Path(plan_path).read_text())
    folder = Path(plan["folder"])
    devices = [InventoryDevice(name, address) for name, address in plan["devices"]]
    models = make_models(folder / "models", plan["jobs_per_device"])
    for line in sys.stdin:
        with (
            Path(os.devnull).open("w") as nowhere,
            progress_display(Console(file=nowhere)) as on_progress,
            RunStore(f"sqlite:///{folder / 'runs.db'}") as store,
        ):
            run = measure_jobs(devices, models[: int(line)], folder, store, on_progress)
        failures = [f"{each.device.name}: {each.error}" for each in run.results if each.error]
        told = {"results": len(run.results), "failures": failures[:3]}
        del run
        print(json.dumps({**told, **_held()}), flush=True)


def _held() -> dict[str, int]:
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    process = psutil.Process()
    return {"memory_bytes": process.memory_info().rss, "open_files": process.num_fds()}


if __name__ == "__main__":
    main(sys.argv[1])
