"""Under which name this host holds devices."""

from __future__ import annotations

import getpass
import platform


def holder_name() -> str:
    """``USER@HOST``."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may know no name for its user
        user = "unknown"
    return f"{user}@{platform.node()}"
