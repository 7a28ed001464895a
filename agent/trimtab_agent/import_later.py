"""Modules that others import at their top and an agent seldom needs: read when they are used.

Of an agent's 49 MB they took 3.
"""

from __future__ import annotations

import importlib
import sys
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import module_from_spec
from threading import RLock
from types import ModuleType
from typing import Any

# asyncio imports Python's TLS; an agent on a Unix socket never uses it. protobuf imports its
# messages in plain Python (and the text format) beside those in C, which are used.
SELDOM_NEEDED = ("ssl", "asyncio.sslproto", "google.protobuf.internal.python_message")

_loaders: dict[str, Loader] = {}  # of those that nobody has begun to read
_locks: dict[str, RLock] = {}


class _Unread(ModuleType):
    """Reads itself at the first attribute that it lacks; importing it anew does not.

    ``importlib.util.LazyLoader`` would already read it at the next ``import``, which asks for
    ``__spec__``.
    """

    def __getattr__(self, name: str) -> Any:
        if name != "__path__":  # ``from MODULE import`` asks for it
            with _locks[self.__name__]:  # another thread waits until it is whole
                _read(self)
        return ModuleType.__getattribute__(self, name)


def _read(module: ModuleType) -> None:
    """Without effect once begun: what a module being read lacks is simply missing."""
    loader = _loaders.pop(module.__name__, None)
    if loader is None:
        return
    try:
        loader.exec_module(module)
    except BaseException:
        _loaders[module.__name__] = loader
        raise
    module.__class__ = ModuleType


def import_later(*names: str) -> None:
    """Put the modules of these full names off until they are used.

    What is imported already, or cannot be found, stays as it is. Packages around a module are
    imported at once.
    """
    put_off = [name for name in names if _put_off(name)]
    for name in put_off:
        _show_in_package(name)


def _put_off(name: str) -> bool:
    spec = None if name in sys.modules else _find(name)
    if spec is None or spec.loader is None:
        return False
    module = module_from_spec(spec)
    module.__class__ = _Unread
    _loaders[name], _locks[name] = spec.loader, RLock()
    sys.modules[name] = module
    return True


def _find(name: str) -> ModuleSpec | None:
    """Like ``importlib.util.find_spec``, which would import the packages around it."""
    package, _, _ = name.rpartition(".")
    if not package:
        return PathFinder.find_spec(name)
    around = _find(package)
    if around is None or around.submodule_search_locations is None:
        return None
    return PathFinder.find_spec(name, around.submodule_search_locations)


def _show_in_package(name: str) -> None:
    package, _, last = name.rpartition(".")
    if package:
        setattr(importlib.import_module(package), last, sys.modules[name])
