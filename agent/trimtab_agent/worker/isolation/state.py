"""What of the isolation is in force in a worker, and what is not, with the reason."""

from __future__ import annotations

import errno
from dataclasses import dataclass, field

SWITCH_OFF = "TRIMTAB_NO_ISOLATION"


class Missing(Exception):
    """This part cannot be had here; the message is the reason, as it is recorded."""


@dataclass
class Isolation:
    """``missing``: part -> why it is not in force."""

    in_force: list[str] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)


def reason(error: OSError, what: str) -> Missing:
    name = errno.errorcode.get(error.errno or 0, str(error.errno))
    return Missing(f"{name}: {what}")
