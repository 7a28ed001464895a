"""The settings in force as the page shows them: one line that sums up, and every one by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from trimtab.measure_policies import POLICIES, PURPOSES, shown
from trimtab.project import MeasureSettings
from trimtab.records import MeasurementSettings, Result

# What a candidate is told by already; its values alone say enough.
_TELLS_CANDIDATES_APART = ("runtime", "threads")
_DECLARED_AS = {"runtimes": "runtime"}


@dataclass(frozen=True)
class SettingRow:
    """``usual``: what the policy, or without one the default, says; "" where it is the same."""

    name: str
    value: str
    usual: str
    meaning: str


@dataclass(frozen=True)
class SettingsView:
    summary: str
    rows: tuple[SettingRow, ...]


def settings_view(results: Sequence[Result], labels: Sequence[str]) -> SettingsView | None:
    """None where there are no results."""
    if not results:
        return None
    rows = [_row(name, results, labels) for name in _names()]
    return SettingsView(_summary(results), tuple(rows))


def _names() -> list[str]:
    """What a result records, in the order of [measure]."""
    recorded = [field.name for field in fields(MeasurementSettings)]
    declared = [_DECLARED_AS.get(name, name) for name in MeasureSettings.model_fields]
    return [*(name for name in declared if name in recorded), *(set(recorded) - set(declared))]


def _summary(results: Sequence[Result]) -> str:
    """``policy quick (a first look) · 3 processes per candidate · back to back``"""
    settings = [result.settings for result in results]
    policies = dict.fromkeys(f"policy {each.policy} ({PURPOSES[each.policy]})" for each in settings)
    repeats = dict.fromkeys(
        f"{each.repeats} process{'es' if each.repeats > 1 else ''} per candidate"
        for each in settings
    )
    scenarios = dict.fromkeys(map(_scenario, settings))
    return " · ".join(" or ".join(each) for each in (policies, repeats, scenarios))


def _scenario(settings: MeasurementSettings) -> str:
    if settings.batch_size is not None:
        return f"batches of {settings.batch_size}, back to back"
    if settings.rate_hz is not None:
        return f"{settings.rate_hz:g} inferences a second"
    return "one inference after the other, back to back"


def _row(name: str, results: Sequence[Result], labels: Sequence[str]) -> SettingRow:
    who: dict[str, list[str]] = {}
    for result, label in zip(results, labels, strict=True):
        who.setdefault(shown(getattr(result.settings, name)), []).append(label)
    usual = ", ".join(dict.fromkeys(_usual(name, result.settings) for result in results))
    value = _told(who, by_name=name not in _TELLS_CANDIDATES_APART)
    field = MeasureSettings.model_fields.get("runtimes" if name == "runtime" else name)
    meaning = (field.description or "") if field is not None else ""
    return SettingRow(name, value, "" if usual in (value, "") else usual, meaning)


def _usual(name: str, settings: MeasurementSettings) -> str:
    if name in ("policy", *_TELLS_CANDIDATES_APART):
        return ""
    default = getattr(MeasurementSettings(runtime=""), name)
    return shown(POLICIES[settings.policy].get(name, default))


def _told(who: dict[str, list[str]], by_name: bool) -> str:
    if len(who) == 1 or not by_name:
        return ", ".join(who)
    return "; ".join(f"{value} ({', '.join(names)})" for value, names in who.items())
