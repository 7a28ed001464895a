"""What is looked at once, before a job's first worker starts."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from trimtab_agent.device import look_around
from trimtab_agent.disturbance import foreign_load_check
from trimtab_agent.load import measure_foreign_load
from trimtab_agent.memory_checks import free_disk_check, free_memory_check
from trimtab_agent.paging import meminfo
from trimtab_agent.records import Arm, Check
from trimtab_agent.setting_checks import power_source_check


@dataclass(frozen=True)
class Preflight:
    """Bytes; None: not told. ``facts`` are conditions that hold for the whole job."""

    foreign_load: float | None = None
    memory_available: int | None = None
    disk_free: int | None = None
    look: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)

    def checks(self, arm: Arm) -> tuple[Check, ...]:
        """Those of this moment alone; what also holds later is checked over the whole job."""
        model_bytes = sum(file.digest.size_bytes for file in arm.files)
        memory = free_memory_check(self.memory_available, model_bytes)
        return (memory,) if self.disk_free is None else (memory, free_disk_check(self.disk_free))

    def conditions(self) -> dict[str, str]:
        load = "unknown" if self.foreign_load is None else f"{self.foreign_load:.3f}"
        disk = {} if self.disk_free is None else {"disk_free_mb": str(self.disk_free // 1_000_000)}
        return {"foreign_load": load, **disk, **self.facts}

    def warnings(self, arms: tuple[Arm, ...]) -> Iterator[str]:
        """What already stands in the way, said before anybody waits for figures."""
        load = foreign_load_check(self.foreign_load, (), 1)
        checks = (load, power_source_check([self.look]), *(self.checks(_largest(arms))))
        for check in checks:
            if check.outcome == "failed":
                yield f"before the job: {check.name}: {check.seen}; {check.advice}"
        throttling = self.look.get("throttling", "unknown")
        if throttling != "not now" and not throttling.startswith("unknown"):
            yield f"before the job: NOT_THROTTLED: already now: {throttling}; let the device cool"


async def preflight(root: Path, state: Path, facts: Mapping[str, str]) -> Preflight:
    """Call it with no worker running; ``state``: the folder in which the job will write."""
    return Preflight(
        foreign_load=await measure_foreign_load(),
        memory_available=meminfo(root).get("MemAvailable"),
        disk_free=shutil.disk_usage(state).free,
        look=await look_around(root),
        facts=facts,
    )


def _largest(arms: tuple[Arm, ...]) -> Arm:
    return max(arms, key=lambda arm: sum(file.digest.size_bytes for file in arm.files))
