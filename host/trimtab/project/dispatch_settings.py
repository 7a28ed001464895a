"""``[dispatch]``: how a run deals with its devices, and with those that fail."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class DispatchSettings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    arms_per_job: int | None = Field(
        default=None, ge=1, description="fewer arms take turns in one job; a cut costs less"
    )
    attempts: int = Field(
        default=3, ge=1, le=100, description="of a job that fails for its device's sake"
    )
    patience_s: float = Field(
        default=60.0, ge=0, description="that a device may be silent, or fail the health gate"
    )
    job_deadline_s: float | None = Field(default=None, gt=0, description="of each job")
    deadline_s: float | None = Field(default=None, gt=0, description="of the whole run")
    min_disk_free_mb: float = Field(default=0, ge=0, description="health gate: else the job waits")
    min_memory_mb: float = Field(default=0, ge=0, description="health gate: else the job waits")
    min_battery_percent: float = Field(
        default=0, ge=0, le=100, description="health gate: else the job waits"
    )
    max_temperature_c: float | None = Field(
        default=None, gt=0, description="health gate: else the job waits"
    )
