"""What a revocation list says, read from its DER (RFC 5280, section 5).

Only of lists whose signature OpenSSL has checked: this reads no more than number and serials.
"""

from __future__ import annotations

import binascii
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

from trimtab_agent.security.bundle import BundleError

_INTEGER, _OCTETS, _OID, _SEQUENCE, _EXTENSIONS = 0x02, 0x04, 0x06, 0x30, 0xA0
_CRL_NUMBER = bytes((0x55, 0x1D, 0x14))  # 2.5.29.20
_LONG_FORM = 0x80
_MAX_LENGTH_BYTES = 4


@dataclass(frozen=True)
class Revocations:
    number: int
    serials: frozenset[int]


def read_revocations(pem: bytes) -> Revocations:
    """Raises BundleError for what is no list, or one without a number."""
    body = pem.replace(b"X509 CRL", b"CERTIFICATE").decode("ascii")
    try:
        der = ssl.PEM_cert_to_DER_cert(body)
        ((_, whole),) = _elements(der)
        _, signed = next(_elements(whole))
        return _signed_part(signed)
    except (ValueError, StopIteration, binascii.Error) as error:
        raise BundleError("the revocation list cannot be read") from error


def _signed_part(signed: bytes) -> Revocations:
    """Version, algorithm, issuer, times, revoked (absent where there are none), extensions."""
    sequences = [content for tag, content in _elements(signed) if tag == _SEQUENCE]
    extensions = [content for tag, content in _elements(signed) if tag == _EXTENSIONS]
    serials: set[int] = set()
    for listed in sequences[2:3]:
        for _, entry in _elements(listed):
            tag, serial = next(_elements(entry))
            if tag != _INTEGER:
                raise ValueError("an entry without a serial number")
            serials.add(int.from_bytes(serial, "big"))
    return Revocations(_number(extensions[0] if extensions else b""), frozenset(serials))


def _number(extensions: bytes) -> int:
    for _, listed in _elements(extensions):
        for _, extension in _elements(listed):
            fields = list(_elements(extension))
            if fields[0] == (_OID, _CRL_NUMBER) and fields[-1][0] == _OCTETS:
                ((_, number),) = _elements(fields[-1][1])
                return int.from_bytes(number, "big")
    raise ValueError("a list without a number")


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each. Raises ValueError where a length reaches beyond the end."""
    at = 0
    while at < len(data):
        if at + 2 > len(data):
            raise ValueError("cut off")
        tag, length = data[at], data[at + 1]
        at += 2
        if length >= _LONG_FORM:
            size = length - _LONG_FORM
            if not 0 < size <= _MAX_LENGTH_BYTES:
                raise ValueError("a length of too many bytes")
            length = int.from_bytes(data[at : at + size], "big")
            at += size
        if at + length > len(data):
            raise ValueError("cut off")
        yield tag, data[at : at + length]
        at += length
