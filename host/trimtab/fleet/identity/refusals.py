"""Why there is no connection to a device, each reason with what to do about it."""

from __future__ import annotations

import asyncio
import socket
import ssl
from datetime import UTC, datetime

from trimtab.fleet.errors import DeviceUnreachable, IdentityProblem
from trimtab.fleet.identity.bundle import Bundle

Refusal = (IdentityProblem, DeviceUnreachable)

_RENEW = "trimtab fleet identity NAME, on the host that has the fleet's authority"
_CLOCKS = "compare `date` on both sides, and set the clock that is off"
_NOT_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "BAD_RECORD_TYPE", "HTTP_REQUEST")
_EXPIRED, _NOT_YET, _REVOKED, _PURPOSE = 10, 9, 23, 26
_LIST_NOT_YET = 11
_MISNAMED = (62, 63, 64)


def of_certificate(
    where: str, name: str, called: str, error: ssl.SSLCertVerificationError
) -> IdentityProblem:
    """This side refuses the device's certificate."""
    code = error.verify_code
    if code == _EXPIRED:
        text = f"{where}: the device's identity has expired"
        return IdentityProblem(text, f"make it a new one: {_RENEW}; check this clock, too")
    if code in (_NOT_YET, _LIST_NOT_YET):
        text = f"{where}: the device's identity is not valid yet by this machine's clock"
        return IdentityProblem(text, _CLOCKS)
    if code == _REVOKED:
        text = f"{where}: the device's identity is revoked"
        return IdentityProblem(text, f"if the device is to be trusted again: {_RENEW}")
    if code in _MISNAMED:
        is_called = f"calls itself {called}" if called else "has another name"
        text = f"{where}: the device there {is_called}"
        advice = "add it by the name in its identity, or look which board has that address now"
        return IdentityProblem(text, advice)
    if code == _PURPOSE:
        text = f"{where}: what answers shows a person's identity, not a device's"
        return IdentityProblem(text, "somebody poses as the device, or it got the wrong file")
    text = f"{where}: the device belongs to another fleet, or somebody poses as it"
    advice = "give it this fleet's identity (trimtab fleet identity NAME), or join its fleet"
    return IdentityProblem(text, advice)


def of_alert(
    where: str, error: ssl.SSLError, bundle: Bundle
) -> IdentityProblem | DeviceUnreachable:
    """The device refuses ours, or TLS itself is not to be had."""
    reason = str(error.reason or "")
    if reason.endswith("CERTIFICATE_EXPIRED"):
        return _expired(where, bundle)
    if reason.endswith("CERTIFICATE_REVOKED"):
        text = f"{where} refuses this host: its identity is revoked"
        return IdentityProblem(text, "ask whoever keeps the fleet's authority for a new one")
    if reason.endswith("UNKNOWN_CA"):
        text = f"{where} refuses this host: it belongs to another fleet"
        return IdentityProblem(text, "join the device's fleet, or give the device this one's")
    if reason.endswith("BAD_CERTIFICATE"):
        text = f"{where} refuses this host's identity as not valid yet: its clock is behind"
        return IdentityProblem(text, "set the device's clock (its log says the time it has)")
    if reason.endswith("UNSUPPORTED_CERTIFICATE"):
        text = f"{where} refuses this host: its identity is a device's"
        return IdentityProblem(text, "use an operator's or a viewer's: trimtab fleet join FILE")
    if reason.endswith("CERTIFICATE_REQUIRED"):
        text = f"{where} refuses this host: it showed no certificate"
        return IdentityProblem(text, "join the device's fleet: trimtab fleet join FILE")
    if reason.endswith(("PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL")):
        text = f"{where}: what answers there has no TLS 1.3"
        return IdentityProblem(text, "upgrade trimtab-agent there, or what stands between")
    if reason in _NOT_TLS:
        text = f"{where}: what answers there speaks in the clear"
        advice = "start that agent with --identity, or check the port"
        return IdentityProblem(text, advice)
    if isinstance(error, ssl.SSLEOFError):
        return refused_without_word(where)
    return IdentityProblem(f"{where}: TLS fails: {reason.lower() or error}", "see its log")


def _expired(where: str, bundle: Bundle) -> IdentityProblem:
    """By whose clock is told apart by this one."""
    from trimtab.fleet.identity.certificates import whose

    if whose(bundle.certificate).not_after < datetime.now(UTC):
        text = f"{where} refuses this host: its identity has expired"
        advice = "get a new one from whoever keeps the authority, then trimtab fleet join FILE"
        return IdentityProblem(text, advice)
    text = f"{where} refuses this host's identity as expired: the device's clock is ahead"
    return IdentityProblem(text, _CLOCKS)


def refused_without_word(where: str) -> DeviceUnreachable:
    text = f"{where} closed the connection without a word: it takes no more, or is ending"
    return DeviceUnreachable(text, "its log has the reason; try again in a moment")


def nobody_there(where: str, error: BaseException) -> DeviceUnreachable:
    if isinstance(error, ConnectionRefusedError):
        text = f"{where}: no agent listens there: the connection is refused"
        return DeviceUnreachable(text, "is trimtab-agent running there, on that port?")
    if isinstance(error, asyncio.TimeoutError):
        text = f"{where}: nothing answers: the connection timed out"
        return DeviceUnreachable(text, "is the device on, and reachable from this network?")
    if isinstance(error, ConnectionResetError | ConnectionAbortedError | EOFError):
        return refused_without_word(where)
    if isinstance(error, socket.gaierror):
        return DeviceUnreachable(f"{where}: there is no such host", "check the address")
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return DeviceUnreachable(f"{where}: no way there: {reason}", "check address and network")
