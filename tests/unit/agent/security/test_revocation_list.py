"""Lists as cryptography writes them, and bytes that are none."""

from __future__ import annotations

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trimtab.fleet.identity.certificates import new_authority, new_revocations
from trimtab_agent.security.bundle import BundleError
from trimtab_agent.security.crl import read_revocations

_SIGNER = new_authority("0123456789abcdef")
_LIST = base64.b64decode(b"".join(new_revocations(_SIGNER, 7, [1, 2]).split(b"\n")[1:-2]))


@given(
    number=st.integers(1, 2**62),
    serials=st.sets(st.integers(1, 2**159 - 1), max_size=40),
)
def test_number_and_serials_are_read_back(number: int, serials: set[int]) -> None:
    read = read_revocations(new_revocations(_SIGNER, number, serials))
    assert (read.number, set(read.serials)) == (number, serials)


@given(st.data())
def test_mutated_bytes_are_read_or_refused(data: st.DataObject) -> None:
    der = bytearray(_LIST)
    for _ in range(data.draw(st.integers(1, 4))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    body = base64.encodebytes(bytes(der))
    with contextlib.suppress(BundleError):
        read_revocations(b"-----BEGIN X509 CRL-----\n" + body + b"-----END X509 CRL-----\n")


@pytest.mark.parametrize("text", [b"", b"no PEM", b"-----BEGIN X509 CRL-----\nAA==\n"])
def test_what_is_no_list_is_refused(text: bytes) -> None:
    with pytest.raises(BundleError):
        read_revocations(text)
