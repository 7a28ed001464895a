"""What came of a training, in words."""

from __future__ import annotations

from dataclasses import dataclass

_MINUTE_S = 60
_HOUR_S = 3600


@dataclass(frozen=True)
class Trained:
    """``loss``: the mean over the last epoch; None: the task's own fit() gave none.

    ``epochs`` were gone through of ``planned``; the weights are those after epoch ``kept``, which
    scored ``score`` on the validation data. ``kept`` None: the last, as nothing was scored.
    """

    epochs: int
    samples: int
    loss: float | None
    planned: int | None = None
    kept: int | None = None
    score: float | None = None
    by_fit: bool = False
    device: str = "cpu"
    precision: str = "float32"

    @property
    def stopped_early(self) -> bool:
        return self.planned is not None and self.epochs < self.planned

    def __str__(self) -> str:
        if not self.epochs:
            return "not trained"
        count = f"{self.epochs} of {self.planned}" if self.stopped_early else str(self.epochs)
        parts = (
            f"{count} epoch{'' if count == '1' else 's'} of {self.samples} samples",
            "" if self.device == "cpu" else f"on {self.device}",
            "" if self.precision == "float32" else f"multiplied in {self.precision}",
            "stopped early" if self.stopped_early else "",
            "loss not told by fit()" if self.loss is None else f"final loss {self.loss:.4g}",
            self._weights(),
        )
        return ", ".join(part for part in parts if part)

    def _weights(self) -> str:
        if self.by_fit:
            return "weights as the task's own fit() left them"
        if self.kept is None:
            return "weights of the last epoch kept, as there is no validation_data()"
        return f"weights of epoch {self.kept} kept (validation {self.score:.4g})"


def time_left(seconds: float) -> str:
    if seconds < _MINUTE_S:
        return f"about {max(1, round(seconds))} s left"
    if seconds < _HOUR_S:
        return f"about {round(seconds / _MINUTE_S)} min left"
    return f"about {seconds / _HOUR_S:.1f} h left"
