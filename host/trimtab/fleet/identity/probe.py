"""A look at an agent's TLS before gRPC speaks to it: gRPC tells neither why a connection cannot
be, nor checks revocations, nor when a certificate expires."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from trimtab.fleet.identity.bundle import Bundle
from trimtab.fleet.identity.refusals import (
    Refusal,
    nobody_there,
    of_alert,
    of_certificate,
)

_CONNECT_S = 10.0
_VERDICT_S = 10.0


@dataclass(frozen=True)
class Seen:
    """When the device's certificate begins and expires."""

    not_before: datetime
    not_after: datetime


async def probe(host: str, port: int, name: str, bundle: Bundle) -> Seen:
    """Raises Refusal, which says why there can be no connection."""
    where = f"{name} ({host}:{port})"
    try:
        return await _look(host, port, name, _shared_context(bundle))
    except ssl.SSLCertVerificationError as error:
        called = await _called(host, port, bundle) if error.verify_code in _MISNAMED else ""
        raise of_certificate(where, name, called, error) from error
    except ssl.SSLError as error:
        raise of_alert(where, error, bundle) from error
    except (OSError, EOFError, asyncio.TimeoutError) as error:
        raise nobody_there(where, error) from error


_MISNAMED = (62, 63, 64)  # X509_V_ERR_HOSTNAME_MISMATCH and its kin


class _Silent(ConnectionAbortedError):
    """It closed the connection, or said nothing, after the handshake."""


def client_context(bundle: Bundle) -> ssl.SSLContext:
    """TLS 1.3 alone; the device's certificate by the fleet's authority, and not revoked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    context.set_alpn_protocols(["h2"])
    # OpenSSL takes files alone.
    with tempfile.TemporaryDirectory(prefix="trimtab-") as folder:
        own, trusted = Path(folder) / "own.pem", Path(folder) / "trusted.pem"
        own.touch(0o600)
        own.write_bytes(bundle.key + b"\n" + bundle.certificate)
        trusted.write_bytes(bundle.authority + b"\n" + bundle.revocations)
        context.load_cert_chain(own)
        context.load_verify_locations(trusted)
    return context


@lru_cache(maxsize=2)
def _shared_context(bundle: Bundle) -> ssl.SSLContext:
    """For every look with this identity and this list: nothing may change it."""
    return client_context(bundle)


async def _look(host: str, port: int, name: str, context: ssl.SSLContext) -> Seen:
    """In TLS 1.3 the other side's verdict on our certificate comes after the handshake: gRPC's
    server speaks first, so a byte means that we are let in."""
    connecting = asyncio.open_connection(host, port, ssl=context, server_hostname=name)
    reader, writer = await asyncio.wait_for(connecting, _CONNECT_S)
    try:
        try:
            first = await asyncio.wait_for(reader.read(1), _VERDICT_S)
        except (ConnectionError, asyncio.TimeoutError) as error:
            raise _Silent from error
        if not first:
            raise _Silent
        certificate = writer.get_extra_info("ssl_object").getpeercert()
        return Seen(_time(certificate, "notBefore"), _time(certificate, "notAfter"))
    finally:
        await _closed(writer)


async def _called(host: str, port: int, bundle: Bundle) -> str:
    """What the device calls itself; empty where it does not say any more."""
    context = client_context(bundle)
    context.check_hostname = False
    # ValueError: an alert has come since, and OpenSSL tells nothing of the certificate any more.
    with contextlib.suppress(OSError, asyncio.TimeoutError, ValueError):
        _, writer = await asyncio.wait_for(
            asyncio.open_connection(host, port, ssl=context), _CONNECT_S
        )
        try:
            certificate = writer.get_extra_info("ssl_object").getpeercert()
        finally:
            await _closed(writer)
        names = [value for kind, value in certificate["subjectAltName"] if kind == "DNS"]
        return names[0] if names else ""
    return ""


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def _time(certificate: dict[str, Any], key: str) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate[key]), UTC)


__all__ = ["Refusal", "Seen", "client_context", "probe"]
