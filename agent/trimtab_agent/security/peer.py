"""Who is at the other end of a call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

OPERATOR = "operator"
VIEWER = "viewer"
DEVICE = "device"


@dataclass(frozen=True)
class Peer:
    """``authenticated``: by a certificate. ``role`` is empty for whoever may do nothing."""

    name: str
    role: str
    authenticated: bool


OWNER = Peer("", OPERATOR, authenticated=False)
"""Whoever reaches the Unix socket or the loopback port: the system has let them in."""
NOBODY = Peer("", "", authenticated=False)

_RELAYED: dict[str, Peer] = {}


def peer_of(context: Any) -> Peer:
    """A connection that the front has ended already is nobody's: its last calls may not pass for
    the owner's."""
    transport, _, path = str(context.peer()).partition(":")
    if transport != "unix" or not path:
        return OWNER
    return _RELAYED.get(path, NOBODY)


def remember(path: str, peer: Peer) -> None:
    """Calls that come from the Unix socket bound to ``path`` are this peer's."""
    _RELAYED[path] = peer


def forget(path: str) -> None:
    _RELAYED.pop(path, None)
