"""What the device's owner allows models to do, kept where every worker inherits it."""

from __future__ import annotations

import os
import pwd
from collections.abc import Sequence

from trimtab_agent.config import ConfigError
from trimtab_agent.runtimes.litert_delegates import VARIABLE, DelegateSettingError, parse_delegate
from trimtab_agent.worker.isolation.other_user import USER_VARIABLE
from trimtab_agent.worker.isolation.state import SWITCH_OFF


def allow_delegates(given: Sequence[str]) -> None:
    """Raises ConfigError for what is no NAME=FILE, also in the variable."""
    before = os.environ.get(VARIABLE, "").split(os.pathsep)
    together = [*filter(None, before), *given]
    try:
        for text in together:
            parse_delegate(text)
    except DelegateSettingError as error:
        raise ConfigError(f"a LiteRT delegate: {error}") from error
    if together:
        os.environ[VARIABLE] = os.pathsep.join(together)


def switch_isolation_off() -> None:
    os.environ[SWITCH_OFF] = "1"


def set_worker_user(name: str) -> None:
    """Raises ConfigError where workers could not become ``name``."""
    if os.geteuid() != 0:
        raise ConfigError("--worker-user: only an agent that runs as root can make it another user")
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        how = f"useradd --system --no-create-home {name}"
        raise ConfigError(f"--worker-user: there is no user {name!r}; do: {how}") from None
    if entry.pw_uid == 0:
        raise ConfigError(f"--worker-user: {name!r} is root: name one that owns nothing")
    os.environ[USER_VARIABLE] = name
