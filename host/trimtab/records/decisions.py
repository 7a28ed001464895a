"""What is wanted, what was chosen for each device and why not the others; a whole run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from trimtab.records.artifacts import Variant
from trimtab.records.results import DeviceRef, Result


@dataclass(frozen=True)
class Requirement:
    """A hard limit, such as ``latency_p90_ms <= 5``."""

    metric: str
    operator: Literal["<=", ">=", "<", ">"]
    limit: float

    def __str__(self) -> str:
        return f"{self.metric} {self.operator} {self.limit:g}"


@dataclass(frozen=True)
class Objective:
    """What to minimise or maximise; ``otherwise`` replaces it where no candidate has the metric."""

    metric: str
    direction: Literal["minimize", "maximize"] = "minimize"
    otherwise: str | None = None


@dataclass(frozen=True)
class NotChosen:
    """Why a candidate was not chosen, with the figure that decided."""

    label: str
    reason: str
    meets_requirements: bool


@dataclass(frozen=True)
class DeviceDecision:
    """``chosen`` None: nothing meets the requirements; ``reason`` says so with the nearest miss.

    ``warnings``: what speaks against the chosen one although it meets the requirements.
    """

    device: DeviceRef
    chosen: Result | None
    reason: str
    objective_used: str
    not_chosen: tuple[NotChosen, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decision:
    requirements: tuple[Requirement, ...]
    objective: Objective
    devices: tuple[DeviceDecision, ...]


@dataclass(frozen=True)
class Run:
    """One campaign. ``created`` is ISO 8601 in UTC."""

    run_id: str
    name: str
    created: str
    variants: tuple[Variant, ...]
    results: tuple[Result, ...]
    decision: Decision | None = None
