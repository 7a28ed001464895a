"""The lease, and the line of those who wait. Pure: the clock is handed in.

One holder at a time. A lease is given to who is first in line, once nobody holds one and no job
runs: a job that outlives its lease holds the device until it ends.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from trimtab_protos.errors import LeaseExpired, LeaseHeld, QueueFull

from trimtab_agent.leases.line import Line, Place
from trimtab_agent.leases.records import (
    MAX_TTL_NS,
    MAX_WAITING,
    MIN_TTL_NS,
    PATIENCE_NS,
    SECOND_NS,
    Ask,
    Lease,
)


@dataclass(frozen=True)
class Snapshot:
    """What must survive a restart of the agent."""

    lease: Lease | None
    waiting: tuple[Ask, ...] = ()


class LeaseBook:
    """``clock``: nanoseconds of the device's boot clock."""

    def __init__(
        self, clock: Callable[[], int], new_id: Callable[[], str] = lambda: secrets.token_hex(16)
    ) -> None:
        self._clock = clock
        self._new_id = new_id
        self._lease: Lease | None = None
        self._line = Line()
        self._running = ""
        self._is_running = False

    @property
    def lease(self) -> Lease | None:
        """The one in force now."""
        self._tidy()
        return self._lease

    def remaining_ns(self, lease: Lease) -> int:
        return max(lease.expires_ns - self._clock(), 0)

    def waiting(self) -> tuple[Ask, ...]:
        """Those who wait for the lease, the next one first."""
        self._tidy()
        return tuple(place.ask for place in self._line.asking() if place.ask is not None)

    def places(self) -> tuple[Place, ...]:
        """All who wait for the device, the next one first."""
        self._tidy()
        return tuple(self._line)

    def acquire(self, ask: Ask, ttl_ns: int) -> Lease:
        """The same ask has the same lease, or keeps its place.

        Raises LeaseHeld with holder and position, and remaining_s where a lease is held; QueueFull.
        """
        self._tidy()
        if self._lease is not None and self._lease.ask == ask:
            return self._lease
        if self._line.position(ask) is None and len(self._line.asking()) >= MAX_WAITING:
            raise QueueFull(f"{MAX_WAITING} wait for the device already, the most that may")
        position = self._line.ask(ask, self._clock())
        if position > 1 or self._lease is not None or self._is_running:
            raise self._held(position)
        self._line.leave(ask)
        self._lease = Lease(self._new_id(), ask, self._clock() + _clamped(ttl_ns))
        return self._lease

    def renew(self, lease_id: str, ttl_ns: int) -> Lease:
        """Raises LeaseExpired."""
        lease = self.check(lease_id)
        self._lease = replace(lease, expires_ns=self._clock() + _clamped(ttl_ns))
        return self._lease

    def release(self, lease_id: str) -> bool:
        """Whether it was in force until now."""
        self._tidy()
        if self._lease is None or self._lease.lease_id != lease_id:
            return False
        self._lease = None
        return True

    def check(self, lease_id: str) -> Lease:
        """The lease in force; raises LeaseExpired where this is another."""
        self._tidy()
        if self._lease is None or self._lease.lease_id != lease_id:
            raise LeaseExpired("this lease has expired, or was released, or never was")
        return self._lease

    def seat_jobs(self, holders: Collection[str]) -> None:
        """Whose jobs without a lease wait now."""
        self._line.seat(holders)

    def next_jobs(self) -> str | None:
        """Whose job without a lease may run now; None: nobody's."""
        self._tidy()
        first = self._line.first
        if self._lease is not None or self._is_running or first is None or first.ask is not None:
            return None
        return first.holder

    def job_began(self, holder: str) -> None:
        self._running, self._is_running = holder, True

    def job_ended(self) -> None:
        self._running, self._is_running = "", False

    def changes_in_ns(self) -> int | None:
        """When the next lease or place ends if nobody says anything; None: never."""
        self._tidy()
        ends = [] if self._lease is None else [self._lease.expires_ns]
        silence = self._line.next_silence_ns()
        if silence is not None:
            ends.append(silence + PATIENCE_NS + 1)
        return max(min(ends) - self._clock(), 0) if ends else None

    def snapshot(self) -> Snapshot:
        return Snapshot(self._lease, self.waiting())

    def restore(self, kept: Snapshot) -> None:
        """Those who waited have as long to ask again as if they had just asked."""
        lease = kept.lease
        # Longer than any lease: the clock is not the one that it was given by.
        if lease is not None and lease.expires_ns - self._clock() <= MAX_TTL_NS:
            self._lease = lease
        for ask in kept.waiting[:MAX_WAITING]:
            self._line.ask(ask, self._clock())

    def _tidy(self) -> None:
        now = self._clock()
        if self._lease is not None and self._lease.expires_ns <= now:
            self._lease = None
        self._line.drop_silent(now)

    def _held(self, position: int) -> LeaseHeld:
        place = str(position)
        if self._lease is not None:
            seconds = self.remaining_ns(self._lease) / SECOND_NS
            text = f"{_named(self._lease.holder)} holds the device, for {seconds:.0f} s more unless"
            holder, remaining = self._lease.holder, f"{seconds:.1f}"
            return LeaseHeld(
                f"{text} renewed; position {place} in the queue",
                holder=holder,
                remaining_s=remaining,
                position=place,
            )
        if self._is_running:
            holder, what = self._running, "runs a job that holds the device until it ends"
        else:
            holder, what = next(iter(self._line)).holder, "comes first"
        text = f"{_named(holder)} {what}; position {place} in the queue"
        return LeaseHeld(text, holder=holder, position=place)


def _named(holder: str) -> str:
    return holder or "somebody"


def _clamped(ttl_ns: int) -> int:
    return min(max(ttl_ns, MIN_TTL_NS), MAX_TTL_NS)
