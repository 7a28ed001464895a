"""Where training keeps what it has, so that a killed process goes on where it was."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Checkpoint:
    """Of one training; ``path`` None: nothing is kept."""

    path: Path | None = None

    def load(self) -> dict[str, Any] | None:
        """None: there is none that can be read."""
        import torch

        if self.path is None or not self.path.is_file():
            return None
        try:
            state: dict[str, Any] = torch.load(self.path, weights_only=True)
        except Exception:  # a damaged file raises whatever its bytes make unpickling raise
            return None
        return state

    def save(self, state: dict[str, Any]) -> None:
        """Whole or not at all. ``state``: tensors, numbers, strings, and containers of them."""
        import torch

        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".part")
        with temporary.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.path)


@dataclass(frozen=True)
class Checkpoints:
    """Of the trainings of one pass, in their order; ``folder`` None: nothing is kept."""

    folder: Path | None = None
    _numbers: count[int] = field(default_factory=count, repr=False, compare=False)

    def next(self) -> Checkpoint:
        """Of the training that is about to begin: the first call is for the first training."""
        number = next(self._numbers)
        return Checkpoint(self.folder / f"training-{number}.pt" if self.folder else None)

    def clear(self) -> None:
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
