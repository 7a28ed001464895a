"""What a device is doing right now, told to whoever shows it."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """``done`` and ``total`` count processes: repeats, memory passes, evaluations."""

    device: str
    text: str
    done: int = 0
    total: int = 0
    severity: str = "info"


OnProgress = Callable[[Progress], None]
