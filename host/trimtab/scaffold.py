"""The project that ``trimtab init`` writes and ``trimtab demo`` runs."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from trimtab.records import UserError

_FILES = ("trimtab.toml", "task.py")


def write_starting_project(folder: Path) -> list[Path]:
    """Writes trimtab.toml and task.py; the folder is made. Raises UserError, overwrites nothing."""
    targets = [folder / name for name in _FILES]
    taken = next((target for target in targets if target.exists()), None)
    if taken:
        raise UserError(f"{taken} exists already", "name another folder, or move the file away")
    template = files("trimtab") / "templates" / "digits"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for target in targets:
            target.write_bytes((template / target.name).read_bytes())
    except OSError as error:
        raise UserError(f"{folder}: {error.strerror}", "name a folder that can be made") from error
    return targets
