"""A recorded run's figures once more, from its raw samples, by today's code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trimtab.measure import agreement, model_figures, robustness
from trimtab.measure.derive import with_derived
from trimtab.measure.summarize import build_result
from trimtab.measure.validity import judged
from trimtab.metrics import METRICS
from trimtab.records import Result

# Outputs and models are not recorded: what came of them stays as it was written down.
_NOT_FROM_SAMPLES = (
    *model_figures.FIGURES,
    "accuracy",
    "accuracy_drop",
    "accuracy_retention",
    *robustness.FIGURES,
    *agreement.FIGURES,
)
_CHECKS_OF_OUTPUTS = (agreement.CHECK_NAME, robustness.CHECK_NAME)


def replayed(results: Sequence[Result]) -> tuple[Result, ...]:
    """In order; those without raw samples stay as they are."""
    again = [_from_samples(result) for result in results]
    derived = with_derived(again)
    return tuple(
        _with_recorded(new, old) if old.raw is not None and old.error is None else old
        for new, old in zip(derived, results, strict=True)
    )


def _from_samples(result: Result) -> Result:
    if result.raw is None:
        return result
    return build_result(
        result.raw,
        result.artifact,
        result.settings,
        result.device,
        variant=result.variant,
        job_id=result.job_id,
        power=result.power,
    )


def _with_recorded(new: Result, old: Result) -> Result:
    own = [check for check in new.checks if check.name not in _CHECKS_OF_OUTPUTS]
    recorded = [check for check in old.checks if check.name in _CHECKS_OF_OUTPUTS]
    checks = (*own, *recorded)
    figures = {**new.metrics}
    figures |= {name: old.metrics[name] for name in _NOT_FROM_SAMPLES if name in old.metrics}
    metrics = {name: judged(name, figures[name], checks) for name in METRICS if name in figures}
    return replace(new, metrics=metrics, checks=checks, robustness=old.robustness)
