"""Who calls: by certificate where there is one, else by where the connection comes from."""

from __future__ import annotations

from typing import Any

from trimtab_agent.security.peer import peer_of


def certificate_name(context: Any) -> str:
    """ "" where nobody knows who is connected: a Unix socket, or loopback in the clear."""
    return peer_of(context).name


def caller_key(context: Any) -> str:
    """Whose calls are counted together: all that have one certificate, or come from one host."""
    name = certificate_name(context)
    if name:
        return f"certificate {name}"
    transport, _, rest = str(context.peer()).partition(":")
    return transport if transport == "unix" else rest.rpartition(":")[0]


def shown_holder(holder: str, context: Any) -> str:
    """What others are told: the name that the caller goes by, and by which certificate."""
    name = certificate_name(context)
    if not name:
        return holder
    return f"{holder} (as {name})" if holder else name
