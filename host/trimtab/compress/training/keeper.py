"""Keeps a training's checkpoint, and reads it where it is this training's."""

from __future__ import annotations

import time
from typing import Any

from trimtab.compress.checkpoints import CheckpointDamaged
from trimtab.compress.training.settings import TrainingSettings


class Keeper:
    """``key``: of the training; a checkpoint of another is not used."""

    def __init__(self, settings: TrainingSettings, key: str) -> None:
        self._checkpoint = settings.checkpoint
        self._progress = settings.progress
        self._key = key
        self._failed = False
        self._last = time.monotonic()

    def load(self) -> dict[str, Any] | None:
        try:
            state = self._checkpoint.load()
        except CheckpointDamaged:
            self._tell_unusable("is damaged")
            return None
        if state is not None and state.get("key") != self._key:
            self._tell_unusable("is of other weights, data or settings")
            return None
        return state

    def _tell_unusable(self, reason: str) -> None:
        path = self._checkpoint.path
        self._progress(f"training: the checkpoint {path} {reason}; training begins anew")

    @property
    def due(self) -> bool:
        waited = time.monotonic() - self._last
        return self._checkpoint.path is not None and waited >= self._checkpoint.every_s

    def save(self, state: dict[str, Any]) -> None:
        """Training goes on where that fails."""
        try:
            self._checkpoint.save({**state, "key": self._key})
        except OSError as error:
            if not self._failed:
                path = self._checkpoint.path
                reason = error.strerror or type(error).__name__
                self._progress(
                    f"training: the checkpoint {path} cannot be written ({reason}); "
                    "training goes on, and would begin anew if it were broken off"
                )
            self._failed = True
        self._last = time.monotonic()
