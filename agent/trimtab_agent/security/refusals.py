"""Why a connection was refused, in the agent's own words, for its log."""

from __future__ import annotations

import asyncio
import ssl

# X509_V_ERR_* of OpenSSL.
_OF_CERTIFICATE = {
    9: "its certificate is not valid yet: is this device's clock behind?",
    10: "its certificate has expired (or this device's clock is ahead)",
    11: "the revocation list is not valid yet: is this device's clock behind?",
    12: "the revocation list has expired",
    23: "its certificate is revoked",
    26: "its certificate is for another purpose: a device's may not act as a caller",
}
_OTHER_FLEET = frozenset({2, 3, 7, 18, 19, 20, 21, 24})
_NOT_TLS = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "UNEXPECTED_MESSAGE"}
    | {"RECORD_LAYER_FAILURE", "BAD_RECORD_TYPE", "PACKET_LENGTH_TOO_LONG"}
    | {"UNKNOWN_PROTOCOL", "UNEXPECTED_RECORD", "RECORD_TOO_SMALL"}
)
_OF_TLS = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "it shows no certificate",
    "UNSUPPORTED_PROTOCOL": "it speaks TLS below 1.3",
    "VERSION_TOO_LOW": "it speaks TLS below 1.3",
}
_ALERT = "ALERT_"


def why_refused(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _of_certificate(error)
    if isinstance(error, ssl.SSLEOFError):
        return "it went away during the handshake"
    if isinstance(error, ssl.SSLError):
        return _of_tls(str(error.reason or ""))
    if isinstance(error, asyncio.TimeoutError | TimeoutError):
        return "its handshake took too long"
    return "it went away during the handshake"


def _of_certificate(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in _OTHER_FLEET:
        return "its certificate is of another fleet, or of nobody's"
    known = _OF_CERTIFICATE.get(error.verify_code)
    return known or f"its certificate is refused: {error.verify_message}"


def _of_tls(reason: str) -> str:
    if reason in _OF_TLS:
        return _OF_TLS[reason]
    if reason in _NOT_TLS:
        return "it does not speak TLS"
    if _ALERT in reason:
        alert = reason.partition(_ALERT)[2].replace("_", " ").lower()
        return f"it refuses this device's certificate: {alert}"
    return f"its TLS is refused: {reason.replace('_', ' ').lower()}"
