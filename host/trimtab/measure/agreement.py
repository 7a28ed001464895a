"""Whether an arm computes what its reference computes: a fast wrong answer is INVALID."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from trimtab.measure import accuracy
from trimtab.measure.accuracy import Array, CannotScore, Outputs
from trimtab.measure.summarize import figure
from trimtab.measure.unavailable import unavailable
from trimtab.records import Check, MeasurementSettings, Metric

CHECK_NAME = "OUTPUTS_AGREE"
_ASK_FOR_IT = "give --reference FILE with --eval or --inputs"
# (package, version) -> what it is known to do without any error.
KNOWN_TO_BE_WRONG = {
    ("tflite_runtime", "2.14.0"): "runs dynamic-range int8 files with wrong answers and no error",
}
FIGURES = ("agreement", "sqnr_db", "max_abs_difference")
# The rounding of float32 outputs (24 bits): nothing closer can be told apart.
SQNR_CEILING_DB = 20 * math.log10(2**24)


@dataclass(frozen=True)
class AgreementLimits:
    """Below one of these the answers are nonsense, not merely rounded."""

    min_sqnr_db: float
    min_agreement: float


def limits_of(settings: MeasurementSettings) -> AgreementLimits:
    return AgreementLimits(settings.min_sqnr_db, settings.min_agreement)


DEFAULT_LIMITS = limits_of(MeasurementSettings(runtime=""))


@dataclass(frozen=True)
class Reference:
    """What to compare with: a model measured beside the others (its hash), or outputs from a file.

    ``name`` is the user's file.
    """

    name: str
    sha256: str = ""
    outputs: Outputs | None = None


@dataclass(frozen=True)
class Comparison:
    """``sqnr_db`` by output; ``same`` of ``count`` samples have the class of the reference.

    ``reasons`` says of a figure in :data:`FIGURES` why it is missing. ``stuck``: outputs that are
    equal for every sample although the reference's are not.
    """

    sqnr_db: Mapping[str, float]
    max_abs_difference: float | None
    same: int | None
    count: int
    not_finite: tuple[str, ...]
    stuck: tuple[str, ...]
    reasons: Mapping[str, str]


def compare(reference: Outputs, outputs: Outputs) -> Comparison:
    """Paired by name where all names match, else by order.

    Raises CannotScore where number or shapes differ, or the reference is not finite.
    """
    pairs = _pairs(reference, outputs)
    reasons: dict[str, str] = {}
    same = _same_classes(reference, outputs, reasons)
    names = list(pairs)
    not_finite = tuple(name for name in names if not np.isfinite(pairs[name][1]).all())
    are_classes = all(np.issubdtype(was.dtype, np.integer) for was, _ in pairs.values())
    if are_classes or not_finite:
        reason = f"not finite: {', '.join(not_finite)}" if not_finite else "the outputs are classes"
        reasons |= dict.fromkeys(("sqnr_db", "max_abs_difference"), reason)
        return Comparison({}, None, same, _count(pairs), not_finite, (), reasons)
    sqnr = {name: value for name in names if (value := _sqnr_db(*pairs[name])) is not None}
    if not sqnr:
        reasons["sqnr_db"] = "the reference's outputs are all zero"
    return Comparison(
        sqnr_db=sqnr,
        max_abs_difference=max(_max_difference(*pair) for pair in pairs.values()),
        same=same,
        count=_count(pairs),
        not_finite=(),
        stuck=tuple(name for name in names if _is_stuck(*pairs[name])),
        reasons=reasons,
    )


def figures(found: Comparison) -> dict[str, Metric]:
    agreement = sqnr = difference = None
    if found.same is not None:
        ci95 = accuracy.wilson_interval(found.same, found.count)
        agreement = figure("agreement", found.same / found.count, ci95, "derived")
    if found.sqnr_db:
        sqnr = figure("sqnr_db", min(found.sqnr_db.values()), provenance="derived")
    if found.max_abs_difference is not None:
        difference = figure("max_abs_difference", found.max_abs_difference, provenance="derived")
    given = zip(FIGURES, (agreement, sqnr, difference), strict=True)
    return {name: metric or unavailable(name, found.reasons[name]) for name, metric in given}


def missing(reason: str) -> dict[str, Metric]:
    return {name: unavailable(name, reason) for name in FIGURES}


def judge(found: Comparison, limits: AgreementLimits, against: str) -> Check:
    """``against``: what the reference is called in the text."""
    problems = _problems(found, limits)
    seen = f"against {against}: {_seen(found, limits)}"
    if problems:
        advice = (
            f"{'; '.join(problems)}: compute the outputs in another runtime or version, and check "
            "layout and scaling of the inputs; a lower limit: --min-agreement, --min-sqnr"
        )
        return Check(CHECK_NAME, "failed", True, (), seen, advice)
    if found.same is None and not found.sqnr_db:
        return unknown("; ".join(dict.fromkeys(found.reasons.values())))
    return Check(CHECK_NAME, "passed", True, (), seen)


def unknown(reason: str) -> Check:
    advice = (
        "make the outputs comparable: same samples, number, order and shapes; where the reference "
        "takes inputs in another layout, give its outputs: --reference FILE.npz"
    )
    return Check(CHECK_NAME, "unknown", True, (), f"not compared: {reason}", advice)


def unchecked(package: str, version: str) -> Check:
    """No reference was given; in a runtime that is known to be wrong at times, that is a doubt."""
    seen = "no reference given: whether the outputs are right was not checked"
    fault = KNOWN_TO_BE_WRONG.get((package, version))
    if fault is None:
        return not_applicable(seen, _ASK_FOR_IT)
    return Check(
        CHECK_NAME, "unknown", True, (), f"{seen}; {package} {version} {fault}", _ASK_FOR_IT
    )


def not_applicable(reason: str, advice: str = "") -> Check:
    return Check(CHECK_NAME, "not_applicable", True, (), reason, advice)


def is_unknown(checks: tuple[Check, ...]) -> bool:
    return any(check.name == CHECK_NAME and check.outcome == "unknown" for check in checks)


def without_check(checks: tuple[Check, ...]) -> tuple[Check, ...]:
    return tuple(check for check in checks if check.name != CHECK_NAME)


def exact(metric: Metric) -> Metric:
    """Of the reference itself: certain, so without an interval."""
    return replace(metric, ci95=None)


def _problems(found: Comparison, limits: AgreementLimits) -> list[str]:
    problems = [f"{name} holds NaN or infinity" for name in found.not_finite]
    problems += [f"{name} is the same for every sample" for name in found.stuck]
    worst = min(found.sqnr_db, key=found.sqnr_db.__getitem__, default=None)
    if worst is not None and found.sqnr_db[worst] < limits.min_sqnr_db:
        problems.append(f"SQNR of {worst} is below {limits.min_sqnr_db:g} dB")
    if found.same is not None and found.same < limits.min_agreement * found.count:
        problems.append(f"argmax agreement is below {limits.min_agreement:g}")
    return problems


def _seen(found: Comparison, limits: AgreementLimits) -> str:
    parts = []
    if found.not_finite:
        parts.append(f"{', '.join(found.not_finite)} not finite")
    if found.sqnr_db:
        each = ", ".join(f"{name} {_tenths(value)}" for name, value in found.sqnr_db.items())
        parts.append(f"SQNR {each} dB (limit {limits.min_sqnr_db:g})")
    if found.same is not None:
        share = f"{found.same} of {found.count}"
        parts.append(f"same argmax {share} (limit {limits.min_agreement:g})")
    if found.max_abs_difference is not None:
        parts.append(f"largest difference {found.max_abs_difference:.3g}")
    if found.stuck:
        parts.append(f"{', '.join(found.stuck)} equal for every sample")
    return ", ".join(parts) or "nothing to compare"


def _tenths(value: float) -> str:
    """Without a minus before a zero."""
    return f"{round(value, 1) + 0.0:.1f}"


def _pairs(reference: Outputs, outputs: Outputs) -> dict[str, tuple[Array, Array]]:
    """(reference, own) by the own output's name, all as they came."""
    if not outputs or len(reference) != len(outputs):
        raise CannotScore(f"{len(outputs)} outputs, the reference has {len(reference)}")
    by_name = set(reference) == set(outputs)
    others = [reference[name] for name in outputs] if by_name else list(reference.values())
    pairs = {name: (was, outputs[name]) for name, was in zip(outputs, others, strict=True)}
    for name, (was, now) in pairs.items():
        if was.shape != now.shape:
            raise CannotScore(f"output {name} has shape {now.shape}, the reference's {was.shape}")
        if was.dtype.kind not in "fiub" or now.dtype.kind not in "fiub":
            raise CannotScore(f"output {name} holds {now.dtype}, the reference's {was.dtype}")
        if not now.size:
            raise CannotScore(f"output {name} is empty")
        if not np.isfinite(was).all():
            raise CannotScore(f"the reference's output for {name} holds NaN or infinity")
    return pairs


def _same_classes(reference: Outputs, outputs: Outputs, reasons: dict[str, str]) -> int | None:
    try:
        was, now = accuracy.predicted_classes(reference), accuracy.predicted_classes(outputs)
    except CannotScore as reason:
        reasons["agreement"] = str(reason).replace("top-1 accuracy", "argmax agreement")
        return None
    return int((was == now).sum())


def _count(pairs: Mapping[str, tuple[Array, Array]]) -> int:
    first, _ = next(iter(pairs.values()))
    return len(first) if first.ndim else 1


def _sqnr_db(was: Array, now: Array) -> float | None:
    """Power of the reference over that of the difference; None where the reference is zero."""
    exact_was = was.astype(np.float64)
    signal = float(np.square(exact_was).sum())
    noise = float(np.square(exact_was - now).sum())
    if not signal:
        return None
    if not noise:
        return SQNR_CEILING_DB
    return min(SQNR_CEILING_DB, 10 * math.log10(signal / noise))


def _max_difference(was: Array, now: Array) -> float:
    return float(np.abs(was.astype(np.float64) - now).max())


def _is_stuck(was: Array, now: Array) -> bool:
    if not now.ndim or len(now) < 2:
        return False
    return bool((now == now[:1]).all() and not (was == was[:1]).all())
