"""What a device's share says of itself while it goes on."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from trimtab.fleet.dispatch.workload import Workload
from trimtab.fleet.jobs import ArmRequest, JobUpdate
from trimtab.fleet.progress import OnProgress, Progress

_LOG = logging.getLogger(__name__)
_LEVELS = {"warning": logging.WARNING, "error": logging.ERROR}
_PASSES = {"memory": "memory pass", "evaluate": "evaluation", "profile": "profile pass"}


class Teller:
    def __init__(self, device: str, on_progress: OnProgress) -> None:
        self._device = device
        self._on_progress = on_progress
        self._last = ""
        self._total = 0
        self._done: set[tuple[str, str, int]] = set()  # a repeat may be measured again

    def expect(self, arms: Sequence[ArmRequest], workload: Workload) -> None:
        """How many processes the arms take: repeats, and the passes of each."""
        passes = 1 + bool(workload.evaluation) + workload.profile  # 1: the memory pass
        passes = 0 if workload.interleaved else passes
        self._total = sum(arm.settings.repeats + passes for arm in arms)

    def hear(self, update: JobUpdate) -> None:
        if update.log is not None:
            severity, text = update.log
            self.say(f"{update.arm}: {text}" if update.arm else text, severity)
        if update.phase in ("load", *_PASSES) and update.repeat_count:
            self.say(_describe(update))
            self._done.add((update.arm, update.phase, update.repeat_index))
        if update.outcome is not None and update.outcome.failure is not None:
            failure = update.outcome.failure
            self.say(f"{update.arm}: {failure.failure_class}: {failure.message}", "error")

    def count(self, update: JobUpdate) -> None:
        """An event of an earlier process: it is done, and no news."""
        if update.phase in ("load", *_PASSES) and update.repeat_count:
            self._done.add((update.arm, update.phase, update.repeat_index))

    def say(self, text: str, severity: str = "info") -> None:
        self._last = text
        _LOG.log(_LEVELS.get(severity, logging.INFO), "%s", text)
        self._on_progress(
            Progress(self._device, text, len(self._done), self._total, severity or "info")
        )

    def show(self, telemetry: str) -> None:
        count, total = len(self._done), self._total
        self._on_progress(Progress(self._device, self._last, count, total, telemetry=telemetry))


def _describe(update: JobUpdate) -> str:
    if update.phase == "load":
        return f"{update.arm}: repeat {update.repeat_index + 1} of {update.repeat_count}"
    return f"{update.arm}: {_PASSES[update.phase]}"
