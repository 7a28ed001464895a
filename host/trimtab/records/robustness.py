"""What the mean accuracy hides: the classes one by one, and the accuracy on corrupted inputs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ClassAccuracy:
    """One class's accuracy. ``change``: minus the float model's on the same samples, with ``ci95``.

    ``p_value``: of its fall being chance, corrected for the number of classes. ``enough``: there
    are samples enough for a fall to be told from chance. None: there is no float model to compare
    with, or it is the float model itself (``ci95``, ``p_value``).
    """

    label: str
    count: int
    accuracy: float
    float_accuracy: float | None = None
    change: float | None = None
    ci95: tuple[float, float] | None = None
    p_value: float | None = None
    enough: bool = False
    collapsed: bool = False


@dataclass(frozen=True)
class CorruptedAccuracy:
    """Accuracy on corrupted copies of ``count`` samples.

    ``clean_accuracy`` is that on the same samples as they were. ``drop``: the float model's under
    the same corruption minus this one's. Intervals: None for a metric of the task's own.
    """

    name: str
    count: int
    accuracy: float
    clean_accuracy: float
    accuracy_ci95: tuple[float, float] | None = None
    float_accuracy: float | None = None
    drop: float | None = None
    ci95: tuple[float, float] | None = None


@dataclass(frozen=True)
class Robustness:
    """``reason``: why there are no classes, or no changes of them; for the corruptions likewise.

    ``severity`` is of the built-in corruptions, 1 to 5. ``mean_drop``: of all samples.
    """

    per_class: tuple[ClassAccuracy, ...] = ()
    reason: str | None = None
    mean_drop: float | None = None
    corruptions: tuple[CorruptedAccuracy, ...] = ()
    corruptions_reason: str | None = None
    severity: int | None = None

    @property
    def worst(self) -> ClassAccuracy | None:
        """The class that lost most, of those with samples enough to say so."""
        judged = [each for each in self.per_class if each.enough and each.change is not None]
        return min(judged, key=lambda each: each.change or 0.0, default=None)

    @property
    def worst_fallen(self) -> ClassAccuracy | None:
        """That class where it lost anything at all."""
        worst = self.worst
        return worst if worst is not None and (worst.change or 0.0) < 0 else None

    @property
    def collapsed(self) -> tuple[ClassAccuracy, ...]:
        """The largest fall first."""
        fallen = [each for each in self.per_class if each.collapsed]
        return tuple(sorted(fallen, key=lambda each: each.change or 0.0))
