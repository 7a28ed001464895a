"""How many come before a job that waits without a lease, if nobody else comes: pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from trimtab_agent.leases.line import Place


def queue_position(places: Sequence[Place], holders: Sequence[str], place: int) -> int:
    """``holders``: of the jobs without a lease, in the order they came; ``place``: the job's there.

    Holders take turns: the n-th job of one comes after n jobs of every other that has so many, and
    after n + 1 where the other is before it in line. Who waits for a lease has one turn.
    """
    holder = holders[place]
    turn = holders[:place].count(holder)
    counts = Counter(holders)
    in_line = [each.holder for each in places if each.ask is None]
    order = [*in_line, *(each for each in dict.fromkeys(holders) if each not in in_line)]
    others = 0
    for other in order:
        if other != holder:
            is_before = order.index(other) < order.index(holder)
            others += min(counts[other], turn + is_before)
    return turn + others + _leases_before(places, holder, turn)


def _leases_before(places: Sequence[Place], holder: str, turn: int) -> int:
    asking = 0
    for place in places:
        if place.ask is not None:
            asking += 1
        elif place.holder == holder and turn == 0:
            return asking
    return asking
