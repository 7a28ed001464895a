"""What a candidate is called where several differ only in their settings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from trimtab.records import DeviceDecision, Result
from trimtab.store.decisions import position_of

_DETAILS: tuple[Callable[[Result], str], ...] = (
    lambda result: f"{result.settings.threads} thread{'s' * (result.settings.threads != 1)}",
    lambda result: result.settings.accelerator,
    lambda result: result.artifact.sha256[:8],
)


def distinct_labels(results: Sequence[Result]) -> tuple[str, ...]:
    """``int8 (onnx, onnxruntime)``; with threads, accelerator or hash where that tells apart."""
    labels = [result.label for result in results]
    for detail in _DETAILS:
        repeated = {label for label, count in Counter(labels).items() if count > 1}
        for label in repeated:
            alike = [index for index, each in enumerate(labels) if each == label]
            if len({detail(results[index]) for index in alike}) > 1:
                for index in alike:
                    labels[index] = f"{label[:-1]}, {detail(results[index])})"
    return tuple(labels)


def chosen_label(decided: DeviceDecision, results: Sequence[Result]) -> str:
    """What the chosen one is called among its device's candidates; "" where nothing is chosen.

    Raises ValueError where it is not among ``results``.
    """
    if decided.chosen is None:
        return ""
    own = [each for each in results if each.device == decided.device]
    return distinct_labels(own)[position_of(decided.chosen, own)]
