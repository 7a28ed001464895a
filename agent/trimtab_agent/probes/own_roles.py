"""Roles that the device's owner gives sensors of no known board: ``sensor-roles.json``.

{"ina226 power1": "total"} - by a sensor's name or by its chip and label, which, unlike the name,
stay the same from boot to boot.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

from trimtab_agent.config import default_state_dir
from trimtab_agent.records import SensorInfo, SensorRole

FILE_NAME = "sensor-roles.json"
_ROLES = get_args(SensorRole)


@dataclass(frozen=True)
class OwnRoles:
    """``problem``: why the file, which is there, cannot be used; "" where it can."""

    roles: Mapping[str, SensorRole] = field(default_factory=dict)
    problem: str = ""

    def applied(self, info: SensorInfo, covers: str) -> SensorInfo:
        """With the owner's role, and with what the sensor covers in its scope.

        A file that cannot be used makes a sensor unavailable: its role might have been another.
        """
        role = self.roles.get(info.name, self.roles.get(info.scope, info.role))
        scope = f"{info.scope}: {covers}" if covers else info.scope
        return replace(info, role=role, scope=scope, unavailable_reason=self.problem)


def read_own_roles(root: Path) -> OwnRoles:
    path = settings_file(root, FILE_NAME)
    if path is None:
        return OwnRoles()
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return OwnRoles(problem=f"{path} cannot be read: {error}")
    if not isinstance(given, dict):
        return OwnRoles(problem=f'{path} is not of the form {{"ina226 power1": "total"}}')
    for name, role in given.items():
        if role not in _ROLES:
            problem = f"{path}: the role of {name!r} is none of {', '.join(_ROLES)}"
            return OwnRoles(problem=problem)
    return OwnRoles(given)


def settings_file(root: Path, name: str) -> Path | None:
    """The first that is there of /etc/trimtab-agent, the service's state folder and the user's."""
    return next((path for path in settings_places(root, name) if _is_file(path)), None)


def settings_places(root: Path, name: str) -> list[Path]:
    folders = [root / "etc/trimtab-agent", root / "var/lib/trimtab-agent"]
    if root == Path("/"):
        folders.append(default_state_dir())
    return [folder / name for folder in folders]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # another user's folder
        return False
