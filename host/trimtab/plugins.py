"""What is registered at an entry point: built-ins and third parties alike."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any


@dataclass(frozen=True)
class Plugin:
    """One registered implementation, or why it cannot be had."""

    name: str
    loaded: Any
    unavailable: str = ""


def plugin_names(group: str) -> tuple[str, ...]:
    """Sorted; nothing is imported."""
    return tuple(sorted({point.name for point in entry_points(group=group)}))


def load_plugin(group: str, name: str) -> Plugin:
    """A missing library makes the plugin unavailable. Raises KeyError for an unknown name."""
    points = tuple(entry_points(group=group, name=name))
    if not points:
        raise KeyError(name)
    return _load(points[0])


def load_plugins(group: str) -> dict[str, Plugin]:
    return {name: load_plugin(group, name) for name in plugin_names(group)}


def _load(point: EntryPoint) -> Plugin:
    try:
        return Plugin(point.name, point.load())
    except Exception as error:  # a third party's module may raise anything while it is imported
        return Plugin(point.name, None, f"{type(error).__name__}: {error}")
