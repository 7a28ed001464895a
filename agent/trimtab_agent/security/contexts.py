"""OpenSSL's side of an identity: the context that connections are taken with, and its own trial."""

from __future__ import annotations

import os
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trimtab_agent.security.bundle import Bundle, BundleError

_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME
_REVOKED = 23  # X509_V_ERR_CERT_REVOKED
_TRIAL_ROUNDS = 10


@dataclass(frozen=True)
class Whose:
    """What a certificate says. Times in seconds since 1970."""

    fleet_id: str
    role: str
    name: str
    serial: int
    not_before_s: float
    not_after_s: float


def server_context(bundle: Bundle) -> ssl.SSLContext:
    """TLS 1.3 alone, with a certificate of the fleet that is not revoked. Raises BundleError."""
    context = _with_own(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), bundle)
    _trust(context, bundle)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    context.set_alpn_protocols(["h2"])
    # A ticket would let somebody back in who has been revoked meanwhile.
    context.num_tickets = 0
    return context


def tried_out(bundle: Bundle) -> Whose:
    """A handshake in memory of the bundle with itself: whether key, certificate, authority and
    list belong together, whatever the clock says. Raises BundleError."""
    server = _with_own(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), bundle)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    _trust(client, bundle)
    client.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF | _NO_CHECK_TIME
    try:
        return whose(_certificate_seen(client, server))
    except ssl.SSLCertVerificationError as error:
        if error.verify_code == _REVOKED:
            raise BundleError("the certificate is revoked by the list beside it") from error
        raise BundleError(f"the parts do not belong together: {error.verify_message}") from error
    except ssl.SSLError as error:
        raise BundleError(f"OpenSSL refuses it: {error.reason or error}") from error


def whose(certificate: dict[str, Any]) -> Whose:
    """From what ``getpeercert`` gives. Raises BundleError for one that no fleet has made."""
    addresses = [value for kind, value in certificate.get("subjectAltName", ()) if kind == "URI"]
    parts = addresses[0].split("/") if len(addresses) == 1 else []
    if len(parts) != 5 or parts[:2] != ["trimtab:", ""] or not all(parts[2:]):
        raise BundleError("the certificate names no fleet, role and name")
    return Whose(
        fleet_id=parts[2],
        role=parts[3],
        name=parts[4],
        serial=int(certificate["serialNumber"], 16),
        not_before_s=float(ssl.cert_time_to_seconds(certificate["notBefore"])),
        not_after_s=float(ssl.cert_time_to_seconds(certificate["notAfter"])),
    )


def _certificate_seen(client: ssl.SSLContext, server: ssl.SSLContext) -> dict[str, Any]:
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(down, up, server_side=False)
    answering = server.wrap_bio(up, down, server_side=True)
    for _ in range(_TRIAL_ROUNDS):
        open_ends = 0
        for end in (asking, answering):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                open_ends += 1
        if not open_ends:
            break
    return dict(asking.getpeercert() or {})


def _with_own(context: ssl.SSLContext, bundle: Bundle) -> ssl.SSLContext:
    with _as_file(bundle.key + b"\n" + bundle.certificate) as path:
        try:
            context.load_cert_chain(path)
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                raise BundleError("the key is not that of the certificate") from error
            raise BundleError("key or certificate cannot be read") from error
    return context


def _trust(context: ssl.SSLContext, bundle: Bundle) -> None:
    with _as_file(bundle.authority + b"\n" + bundle.revocations) as path:
        try:
            context.load_verify_locations(cafile=path)
        except ssl.SSLError as error:
            raise BundleError("the authority or its revocation list cannot be read") from error


class _as_file:  # noqa: N801 - used as a function is
    """OpenSSL takes files alone: one in memory where the system has such."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._descriptor = -1
        self._path = ""

    def __enter__(self) -> str:
        if hasattr(os, "memfd_create"):
            self._descriptor = os.memfd_create("trimtab")
            path = f"/proc/self/fd/{self._descriptor}"
        else:
            self._descriptor, path = tempfile.mkstemp(prefix="trimtab-")  # its owner's alone
            self._path = path
        os.write(self._descriptor, self._data)
        return path

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)
        if self._path:
            Path(self._path).unlink()
