"""Passes by name, from the entry points ``trimtab.passes``."""

from __future__ import annotations

from typing import Any, cast

from trimtab.compress.passes.base import ArtifactPass, ModelPass, PassRejected
from trimtab.extras import missing_modules
from trimtab.plugins import load_plugin, load_plugins

GROUP = "trimtab.passes"
AnyPass = ModelPass[Any] | ArtifactPass[Any]


def load_pass(name: str) -> AnyPass:
    """Raises PassRejected for an unknown pass, and for one whose library is missing."""
    try:
        plugin = load_plugin(GROUP, name)
    except KeyError as error:
        raise PassRejected(f"there is no pass {name}") from error
    if plugin.unavailable:
        raise PassRejected(f"pass {name} is unavailable: {plugin.unavailable}")
    made = cast(AnyPass, plugin.loaded())
    reason = unavailable(made)
    if reason:
        raise PassRejected(f"pass {name} is unavailable: {reason}")
    return made


def passes_on_models() -> tuple[str, ...]:
    """Names of those that need the model itself; nothing can be done to a file by them."""
    plugins = load_plugins(GROUP)
    return tuple(
        name
        for name, each in plugins.items()
        if isinstance(each.loaded, type) and issubclass(each.loaded, ModelPass)
    )


def unavailable(made: AnyPass) -> str:
    """Empty: the pass can run."""
    missing = missing_modules(*made.modules)
    if not missing:
        return ""
    return f"{', '.join(missing)} not installed (pip install 'trimtab[compress]')"
