"""Runtimes by entry point (group ``trimtab.runtimes``); built-ins register like third parties."""

from __future__ import annotations

from trimtab_agent.entry_points import EntryPoint, entry_points
from trimtab_agent.records import RuntimeInfo
from trimtab_agent.runtimes.base import Runtime, RuntimeMissing

GROUP = "trimtab.runtimes"


def runtime_names() -> tuple[str, ...]:
    """Registered names, sorted; loads nothing."""
    return tuple(sorted(_entries()))


def own_runtime_names() -> tuple[str, ...]:
    """Those of them that are no third party's."""
    own = __name__.partition(".")[0] + "."
    return tuple(sorted(entry.name for entry in _entries().values() if entry.value.startswith(own)))


def create_runtime(name: str) -> Runtime:
    """Raises RuntimeMissing where nothing of that name is registered or its module is broken."""
    entry = _entries().get(name)
    if entry is None:
        raise RuntimeMissing(f"no runtime {name!r}; registered: {', '.join(runtime_names())}")
    try:
        runtime = entry.load()()
    except Exception as error:  # a third party's module may raise anything at import
        raise RuntimeMissing(
            f"runtime {name!r} cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(runtime, Runtime):
        raise RuntimeMissing(f"runtime {name!r} ({entry.value}) is not a trimtab Runtime")
    return runtime


def describe_runtime(name: str) -> RuntimeInfo:
    """Imports the library: call it in a worker only."""
    try:
        return create_runtime(name).availability()
    except RuntimeMissing as error:
        return RuntimeInfo(name, "", "", (), (), str(error))


def _entries() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}
