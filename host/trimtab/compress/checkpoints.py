"""Where training keeps what it has, so that a killed process goes on where it was."""

from __future__ import annotations

import hashlib
import io
import shutil
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from trimtab.whole_files import whole_file

SAVE_EVERY_S = 60.0
_DIGEST_BYTES = 32


class CheckpointDamaged(Exception):
    """The file is there, and what it held cannot be read back."""


@dataclass(frozen=True)
class Checkpoint:
    """Of one training; ``path`` None: nothing is kept.

    ``number``: of the training within its pass, from 0. ``every_s``: how long an epoch goes on
    before what was done of it is kept.
    """

    path: Path | None = None
    number: int = 0
    every_s: float = SAVE_EVERY_S

    def load(self) -> dict[str, Any] | None:
        """None: there is none. Raises CheckpointDamaged."""
        import torch

        if self.path is None or not self.path.is_file():
            return None
        try:
            content = self.path.read_bytes()
            content, digest = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
            # torch itself does not notice a changed bit in a tensor.
            if hashlib.sha256(content).digest() != digest:
                raise CheckpointDamaged(self.path)
            state: dict[str, Any] = torch.load(
                io.BytesIO(content), map_location="cpu", weights_only=True
            )
        except CheckpointDamaged:
            raise
        except Exception as error:  # what unpickling raises depends on the bytes
            raise CheckpointDamaged(self.path) from error
        return state

    def save(self, state: dict[str, Any]) -> None:
        """Whole or not at all; raises OSError. ``state``: tensors, numbers, strings, containers."""
        import torch

        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        content = io.BytesIO()
        torch.save(state, content)
        with whole_file(self.path) as file:
            file.write(content.getbuffer())
            file.write(hashlib.sha256(content.getbuffer()).digest())


@dataclass(frozen=True)
class Checkpoints:
    """Of the trainings of one pass, in their order; ``folder`` None: nothing is kept."""

    folder: Path | None = None
    every_s: float = SAVE_EVERY_S
    _numbers: count[int] = field(default_factory=count, repr=False, compare=False)

    def next(self) -> Checkpoint:
        """Of the training that is about to begin: the first call is for the first training."""
        number = next(self._numbers)
        path = self.folder / f"training-{number}.pt" if self.folder else None
        return Checkpoint(path, number, self.every_s)

    def clear(self) -> None:
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
