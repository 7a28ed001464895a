"""The connection to one agent."""

from __future__ import annotations

from typing import Any

import grpc.aio

from trimtab.fleet.identity.link import TlsLink

_MESSAGE_LIMIT = 32 << 20
_OPTIONS: tuple[tuple[str, Any], ...] = (
    # A proxy variable in the environment must not break boards on the local network.
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", _MESSAGE_LIMIT),
    ("grpc.max_send_message_length", _MESSAGE_LIMIT),
    # Survives NATs that forget idle connections, and notices a dead board.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # A job may have nothing to say for minutes: ask on, instead of twice alone.
    ("grpc.http2.max_pings_without_data", 0),
)


def open_channel(address: str, link: TlsLink | None = None) -> grpc.aio.Channel:
    """In the clear; with ``link``: with TLS, the device's certificate checked by its name."""
    if link is None:
        return grpc.aio.insecure_channel(address, options=_OPTIONS)
    options = (
        *_OPTIONS,
        ("grpc.ssl_target_name_override", link.device),
        # Clients share credentials. A connection is one client's, with what was in force when it
        # was made: the next one must not go on with the device's old certificate.
        ("grpc.use_local_subchannel_pool", 1),
    )
    return grpc.aio.secure_channel(str(link.place), link.credentials(), options=options)
