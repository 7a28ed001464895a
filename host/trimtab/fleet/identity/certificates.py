"""X.509 as the fleet uses it: ECDSA on P-256, names in the subject's alternatives (RFC 5280)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Role = Literal["device", "operator", "viewer"]
AUTHORITY_YEARS = 10
LEAF_DAYS = 365
# Clocks differ: what was made a moment ago must be valid on a board that is somewhat behind.
_BACKDATED = timedelta(hours=1)


@dataclass(frozen=True)
class Signer:
    """The authority: its key and its certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


@dataclass(frozen=True)
class Issued:
    """PEM, and what the register remembers."""

    key: bytes
    certificate: bytes
    serial: int
    not_after: datetime


def new_authority(fleet_id: str) -> Signer:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Trimtab fleet {fleet_id}")])
    begin = _now() - _BACKDATED
    usage = _key_usage(digital_signature=False, key_cert_sign=True, crl_sign=True)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=365 * AUTHORITY_YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Signer(key, certificate)


def new_certificate(
    signer: Signer, fleet_id: str, role: Role, name: str, days: float = LEAF_DAYS
) -> Issued:
    """A device's serves only as a server's, a person's only as a caller's."""
    key = ec.generate_private_key(ec.SECP256R1())
    end = min(_now() + timedelta(days=days), signer.certificate.not_valid_after_utc)
    begin = min(_now() - _BACKDATED, end - timedelta(seconds=1))
    usage = ExtendedKeyUsageOID.SERVER_AUTH if role == "device" else ExtendedKeyUsageOID.CLIENT_AUTH
    names: list[x509.GeneralName] = [
        x509.UniformResourceIdentifier(f"trimtab://{fleet_id}/{role}/{name}")
    ]
    if role == "device":
        names.append(x509.DNSName(name))
    authority_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(signer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(authority_key, critical=False)
        .sign(signer.key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    return Issued(key_pem(key), pem, certificate.serial_number, end)


def new_revocations(signer: Signer, number: int, serials: Iterable[int]) -> bytes:
    """A list, in PEM. It lasts as long as the authority: a device that nobody visits for a year
    must not lock everybody out."""
    now = _now() - _BACKDATED
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(signer.certificate.subject)
        .last_update(now)
        .next_update(signer.certificate.not_valid_after_utc)
        .add_extension(x509.CRLNumber(number), critical=False)
    )
    for serial in sorted(serials):
        revoked = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now)
        builder = builder.add_revoked_certificate(revoked.build())
    return builder.sign(signer.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def certificate_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def read_signer(key: bytes, certificate: bytes) -> Signer:
    """Raises ValueError."""
    loaded = serialization.load_pem_private_key(key, None)
    if not isinstance(loaded, ec.EllipticCurvePrivateKey):
        raise ValueError("the authority's key is no EC key")
    return Signer(loaded, x509.load_pem_x509_certificate(certificate))


def check_pair(key: bytes, certificate: bytes) -> None:
    """Raises ValueError where they are not a pair."""
    private = serialization.load_pem_private_key(key, None)
    if private.public_key() != x509.load_pem_x509_certificate(certificate).public_key():
        raise ValueError("the key is not that of the certificate")


@dataclass(frozen=True)
class Whose:
    fleet_id: str
    role: str
    name: str
    not_before: datetime
    not_after: datetime


def whose(certificate: bytes) -> Whose:
    """Raises ValueError for one that no fleet has made."""
    loaded = x509.load_pem_x509_certificate(certificate)
    try:
        names = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound as error:
        raise ValueError("the certificate has no names") from error
    for address in names.get_values_for_type(x509.UniformResourceIdentifier):
        parts = address.split("/")
        if parts[:2] == ["trimtab:", ""] and len(parts) == 5:
            _, _, fleet_id, role, name = parts
            begin, end = loaded.not_valid_before_utc, loaded.not_valid_after_utc
            return Whose(fleet_id, role, name, begin, end)
    raise ValueError("the certificate names no fleet")


def _key_usage(
    digital_signature: bool, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
