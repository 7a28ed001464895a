"""What a device is doing right now, told to whoever shows it."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """``done`` and ``total`` count processes: repeats, memory passes, evaluations.

    ``telemetry``: what the device is doing while ``text`` goes on; such a progress is no news.
    """

    device: str
    text: str
    done: int = 0
    total: int = 0
    severity: str = "info"
    telemetry: str = ""


OnProgress = Callable[[Progress], None]


def shows_telemetry(on_progress: OnProgress) -> bool:
    """False for whoever says so by an attribute of this name: a log passes telemetry over."""
    return bool(getattr(on_progress, "shows_telemetry", True))
