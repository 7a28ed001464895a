"""Which external meters the owner has switched on: ``meters.json``.

{"joulescope": {"serial": "001122"}, "ppk2": {"millivolts": 5000}} - a meter that is not named is
never looked for nor opened, since opening one may change the power of what hangs on it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from trimtab_agent.probes.own_roles import settings_file
from trimtab_agent.records import SensorRole

FILE_NAME = "meters.json"
ROLE = "role"
_ROLES: tuple[SensorRole, ...] = get_args(SensorRole)
MeterSettings = Mapping[str, object]


class MeterError(Exception):
    """A meter cannot be used, or stopped; the message is one line that says why."""


def meter_settings(root: Path, meter: str) -> MeterSettings | None:
    """None: not switched on; raises MeterError where the file cannot be used."""
    path = settings_file(root, FILE_NAME)
    if path is None:
        return None
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MeterError(f"{path} cannot be read: {error}") from error
    if not isinstance(given, dict):
        raise MeterError(f'{path}: not of the form {{"ppk2": {{"millivolts": 5000}}}}')
    settings = given.get(meter)
    if settings is not None and not isinstance(settings, dict):
        raise MeterError(
            f"{path}: what stands for {meter} is no object; write {{}} for no settings"
        )
    return settings


def only_known(meter: str, settings: MeterSettings, known: frozenset[str]) -> None:
    """Raises MeterError for a setting that this meter does not have."""
    known |= {ROLE}
    unknown = sorted(set(settings) - known)
    if unknown:
        raise MeterError(
            f"{FILE_NAME}: {meter} has no setting {unknown[0]}; it has {', '.join(sorted(known))}"
        )


def text_setting(meter: str, settings: MeterSettings, name: str) -> str:
    """ "" where not given; raises MeterError for anything but a text."""
    value = settings.get(name, "")
    if not isinstance(value, str):
        raise MeterError(f"{FILE_NAME}: {name} of {meter} is no text: {value!r}")
    return value


def role_setting(meter: str, settings: MeterSettings) -> SensorRole:
    """What the meter's figure is to this machine: "total" where not given, "other" for a meter of
    something else that happens to hang here; raises MeterError."""
    given = settings.get(ROLE, "total")
    for role in _ROLES:
        if given == role:
            return role
    raise MeterError(f"{FILE_NAME}: role of {meter} is one of {', '.join(_ROLES)}, not {given!r}")
