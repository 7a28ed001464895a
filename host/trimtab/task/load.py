"""Loads a task file by its path, its folder importable beside it."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from trimtab.extras import need_compress
from trimtab.records import UserError
from trimtab.task.calling import user_code
from trimtab.task.task import OPTIONAL, REQUIRED, Task, seed_everything


def load_task(path: Path, seed: int) -> Task:
    """Runs the file. Raises UserError, with the file's line where its code fails."""
    if not path.is_file():
        raise UserError(f"{path}: no such task file", "start from one with `trimtab init DIR`")
    need_compress("loading a task", "torch")
    importlib.import_module("torch")  # or its generator would not be seeded
    seed_everything(seed)
    module = _run(path.resolve())
    names = [name for name in (*REQUIRED, *OPTIONAL) if hasattr(module, name)]
    for name in names:
        if not callable(getattr(module, name)):
            raise UserError(f"{path}: {name} is not a function", f"write def {name}(): ...")
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        raise UserError(
            f"{path}: {missing[0]}() is missing",
            f"a task file defines {' and '.join(f'{name}()' for name in REQUIRED)}",
        )
    return Task(path.resolve(), {name: getattr(module, name) for name in names}, seed)


def _run(path: Path) -> ModuleType:
    name = f"trimtab_task_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserError(f"{path}: not a Python file", "name a file that ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickling look their module up there
    with user_code(path, "importing it"), _importable(path.parent):
        spec.loader.exec_module(module)
    return module


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
