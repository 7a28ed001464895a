"""The values of leases. Times are nanoseconds on the device's boot clock."""

from __future__ import annotations

from dataclasses import dataclass, field

SECOND_NS = 10**9
MIN_TTL_NS = SECOND_NS
MAX_TTL_NS = 600 * SECOND_NS
# Who does not ask again for so long loses the place.
PATIENCE_NS = 15 * SECOND_NS
MAX_WAITING = 256


@dataclass(frozen=True)
class Ask:
    """``owner``: who is connected, "" where nobody knows; one's request is not another's.

    ``holder``: the name that is shown; the same request is the same ask whatever it says.
    """

    owner: str
    request_id: str
    holder: str = field(compare=False)


@dataclass(frozen=True)
class Lease:
    """Whoever has the ``lease_id`` may use the lease."""

    lease_id: str
    ask: Ask
    expires_ns: int

    @property
    def holder(self) -> str:
        return self.ask.holder
