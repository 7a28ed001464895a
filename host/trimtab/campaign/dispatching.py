"""From the settings of [dispatch] to the rules that a run's devices are dealt with by."""

from __future__ import annotations

from trimtab.fleet.dispatch import Rules
from trimtab.fleet.holder import holder_name
from trimtab.fleet.jobs import HealthGate
from trimtab.project import DispatchSettings


def rules_of(settings: DispatchSettings, run_id: str = "") -> Rules:
    """``run_id`` "": for what is kept as no run."""
    holder = holder_name()
    return Rules(
        arms_per_job=settings.arms_per_job,
        attempts=settings.attempts,
        patience_s=settings.patience_s,
        job_deadline_s=settings.job_deadline_s or 0.0,
        health=HealthGate(
            min_disk_free_mb=settings.min_disk_free_mb,
            min_memory_mb=settings.min_memory_mb,
            min_battery_percent=settings.min_battery_percent,
            max_temperature_c=settings.max_temperature_c or 0.0,
        ),
        holder=f"{holder}, run {run_id}" if run_id else holder,
    )
