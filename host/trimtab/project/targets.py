"""What a variant is to reach, and what may be asked for."""

from __future__ import annotations

from dataclasses import dataclass

from trimtab.metrics import METRICS

_COUNTED = ("size_mb", "download_mb", "parameters", "macs")
_ON_A_DEVICE = ("latency_", "memory_", "energy_", "power_", "load_", "first_inference_")
# Of scenarios and accelerators that a project's other settings must ask for first.
_NOT_ALONE = ("latency_sustained_ms", "memory_accelerator_mb", "memory_arena_mb")
MEASURED_TARGETS = tuple(
    name for name in METRICS if name.startswith(_ON_A_DEVICE) and name not in _NOT_ALONE
)
TARGETS = (*_COUNTED, *MEASURED_TARGETS)


@dataclass(frozen=True)
class Target:
    """``turned``: the places in the recipe of the passes that are turned as far as it takes.

    ``on`` selects the device that measures it; None: it needs none. ``max_accuracy_drop``: below
    the float model, on the task's validation_data(). ``points``: weaker settings that are made too.
    """

    metric: str
    limit: float
    turned: tuple[int, ...]
    max_accuracy_drop: float
    on: str | None = None
    points: int = 0

    def __str__(self) -> str:
        return f"{self.metric} <= {self.limit:g}"
