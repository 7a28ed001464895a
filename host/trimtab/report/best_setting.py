"""Which runtime and thread count is the fastest for each file, where several were tried."""

from __future__ import annotations

from collections.abc import Sequence

from trimtab.decide.comparison import overlap
from trimtab.measure.wording import show_value
from trimtab.records import Metric, Result

_METRIC = "latency_p50_ms"


def best_setting_notes(results: Sequence[Result]) -> list[str]:
    """One line for each file on each device with at least two valid figures to choose from."""
    groups: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        groups.setdefault((result.device.name, _candidate(result)), []).append(result)
    devices = {device for device, _ in groups}
    return [
        f"best for {name}{f' on {device}' if len(devices) > 1 else ''}: {_best(valid)}"
        for (device, name), members in groups.items()
        if len(valid := _ranked(members)) > 1
    ]


def _candidate(result: Result) -> str:
    if result.variant is None:
        return result.artifact.name
    return f"{result.variant} ({result.artifact.format})"


def _ranked(results: Sequence[Result]) -> list[tuple[float, Metric, Result]]:
    """Fastest first; what is invalid or failed takes no part."""
    found = [
        (metric.value, metric, result)
        for result in results
        if result.valid and (metric := result.metrics[_METRIC]).value is not None
    ]
    return sorted(found, key=lambda each: each[0])


def _best(ranked: Sequence[tuple[float, Metric, Result]]) -> str:
    (value, first, best), *others = ranked
    figure = show_value(value, first.unit)
    setting = _setting(best)
    if first.ci95 is None or any(metric.ci95 is None for _, metric, _ in others):
        return f"cannot be told from one process each (the lowest: {setting}, {figure})"
    alike = [result for _, metric, result in others if overlap(first, metric)]
    if alike:
        names = ", ".join(_setting(each) for each in alike)
        return f"no difference seen between {setting} ({figure}) and {names}"
    return f"{setting}: {figure}"


def _setting(result: Result) -> str:
    """``litert, 2 threads``"""
    settings = result.settings
    return f"{settings.runtime}, {settings.threads} thread{'s' if settings.threads > 1 else ''}"
