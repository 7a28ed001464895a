"""The named policies: how long, how often and how steadily each arm is measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal

from trimtab.records import MeasurementSettings

PolicyName = Literal["quick", "normal", "strict"]
DEFAULT_POLICY: PolicyName = "quick"

POLICIES: Mapping[str, Mapping[str, Any]] = {
    "quick": {
        "repeats": 3,
        "min_duration_s": 0.5,
        "max_duration_s": 20.0,
        "min_samples": 100,
        "percentile": "p90",
        "warmup_s": 0.2,
        "min_warmup": 5,
        "max_warmup_s": 1.0,
        "steady_tolerance": 0.05,
        "max_retries": 1,
    },
    "normal": {
        "repeats": 5,
        "min_duration_s": 1.0,
        "max_duration_s": 30.0,
        "min_samples": 100,
        "percentile": "p90",
        "warmup_s": 0.5,
        "min_warmup": 10,
        "max_warmup_s": 5.0,
        "steady_tolerance": 0.05,
        "max_retries": 2,
    },
    "strict": {
        "repeats": 6,
        "min_duration_s": 3.0,
        "max_duration_s": 60.0,
        "min_samples": 200,
        "percentile": "p99",
        "warmup_s": 1.0,
        "min_warmup": 20,
        "max_warmup_s": 15.0,
        "steady_tolerance": 0.02,
        "max_retries": 3,
    },
}
# Of interleaved comparisons. Processes differ by up to 1 % by themselves, so it takes many of them,
# each for a short time. Six is the fewest for which the signed-rank interval exists.
COMPARING: Mapping[str, Mapping[str, Any]] = {
    "quick": {"repeats": 6, "max_duration_s": 1.0, "warmup_s": 0.1},
    "normal": {"repeats": 12, "max_duration_s": 2.0, "warmup_s": 0.2},
    "strict": {"repeats": 20, "max_duration_s": 5.0, "warmup_s": 0.5},
}
_ONE_BLOCK = {"min_samples": 1, "min_duration_s": 0.02}
BLOCKS: Mapping[str, int] = {"quick": 12, "normal": 12, "strict": 24}
"""Of each arm in a repeat; fewer where ``max_duration_s`` is over before."""

PURPOSES: Mapping[str, str] = {
    "quick": "a first look",
    "normal": "comparing and gating",
    "strict": "figures to publish, p99 among them",
}

SUSTAIN_RANGE_S = (1.0, 86_400.0)

# By MLPerf's rule: measure.stats.required_samples works it out, a test holds the two together.
PERCENTILE_SAMPLES: Mapping[str, int] = {"p50": 1, "p90": 64, "p99": 662}


def policy_fields(name: str) -> dict[str, Any]:
    """What the policy sets, as fields of MeasurementSettings, its own name among them."""
    return {"policy": name, **POLICIES[name]}


def comparing_fields(name: str) -> dict[str, Any]:
    """The same for a comparison in interleaved blocks."""
    return {**policy_fields(name), **_ONE_BLOCK, **COMPARING[name]}


def describe_comparing(settings: MeasurementSettings, block_count: int, block_s: float) -> str:
    """What is in force in one line; what differs from the policy's own figures is marked."""
    marked = _marked(settings, COMPARING[settings.policy])
    return (
        f"policy {settings.policy}, comparing: {marked} "
        f"blocks={block_count} block_s={block_s:g} max_retries={settings.max_retries}"
    )


def samples_for_percentile(percentile: str) -> int:
    """Raw samples over all repeats."""
    return PERCENTILE_SAMPLES[percentile]


def describe(settings: MeasurementSettings) -> str:
    """The settings in force in one line; what differs from the policy's own figures is marked.

    Of the settings that no policy sets, those that were asked for.
    """
    asked = [f"{name}={shown(value)}" for name, value in asked_for(settings).items()]
    beside = f"; {' '.join(asked)}" if asked else ""
    return f"policy {settings.policy}: {_marked(settings, POLICIES[settings.policy])}{beside}"


def _marked(settings: MeasurementSettings, own: Mapping[str, Any]) -> str:
    """The settings that ``own`` names, as they are, with a star where they differ from it."""
    values = {name: getattr(settings, name) for name in own}
    return " ".join(
        f"{name}={shown(value)}" + ("" if value == own[name] else "*")
        for name, value in values.items()
    )


def asked_for(settings: MeasurementSettings) -> dict[str, Any]:
    """What no policy sets and is not as it is by default; not what tells arms apart."""
    apart = {"policy", "runtime", "threads", *POLICIES[settings.policy]}
    usual = MeasurementSettings(runtime="")
    return {
        field.name: value
        for field in fields(MeasurementSettings)
        if field.name not in apart
        and (value := getattr(settings, field.name)) != getattr(usual, field.name)
    }


def shown(value: object) -> str:
    """A setting's value as TOML has it, without brackets and quotes; ``none`` where not asked."""
    if value is None:
        return "none"
    if isinstance(value, Mapping):
        return ",".join(f"{key}={shown(each)}" for key, each in value.items()) or "none"
    if isinstance(value, (tuple, list)):
        return ",".join(shown(each) for each in value) or "none"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
