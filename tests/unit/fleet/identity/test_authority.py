"""What the authority makes, keeps and revokes, read back by cryptography and OpenSSL."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from trimtab.fleet.identity import certificates, expiry
from trimtab.fleet.identity.authority import Authority, open_authority
from trimtab.fleet.identity.bundle import read_bundle
from trimtab.fleet.identity.certificates import Role, whose
from trimtab.fleet.identity.expiry import soon_expires
from trimtab.fleet.identity.folder import FleetFolder
from trimtab.fleet.identity.making import join_fleet, make_identity, own_identity, present_authority
from trimtab.fleet.identity.probe import Seen
from trimtab.records import UserError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FleetFolder:
    monkeypatch.setenv("TRIMTAB_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return FleetFolder(tmp_path / "home" / "fleet")


@pytest.fixture
def authority(folder: FleetFolder) -> Authority:
    return open_authority(folder)


def test_it_is_made_once_with_files_that_are_its_owners_alone(
    authority: Authority, folder: FleetFolder
) -> None:
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    for name in ("authority.key", "authority.pem", "revocations.pem", "issued.json"):
        assert stat.S_IMODE((folder.path / name).stat().st_mode) == 0o600
    fleet_id = authority.register.fleet_id
    assert open_authority(folder).register.fleet_id == fleet_id
    loaded = x509.load_pem_x509_certificate(folder.authority.read_bytes())
    assert loaded.not_valid_after_utc - datetime.now(UTC) > timedelta(days=3640)


@pytest.mark.parametrize(
    ("role", "purpose", "dns"),
    [
        ("device", ExtendedKeyUsageOID.SERVER_AUTH, ["ann"]),
        ("operator", ExtendedKeyUsageOID.CLIENT_AUTH, []),
        ("viewer", ExtendedKeyUsageOID.CLIENT_AUTH, []),
    ],
)
def test_a_certificate_says_who_it_is_and_what_it_is_for(
    authority: Authority, role: Role, purpose: x509.ObjectIdentifier, dns: list[str]
) -> None:
    made = x509.load_pem_x509_certificate(authority.issue(role, "ann").certificate)
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    usage = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    uri = f"trimtab://{authority.register.fleet_id}/{role}/ann"
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [uri]
    assert names.get_values_for_type(x509.DNSName) == dns
    assert list(usage) == [purpose]
    left = made.not_valid_after_utc - datetime.now(UTC)
    assert timedelta(days=364) < left <= timedelta(days=365)


def test_a_name_has_one_role(authority: Authority) -> None:
    authority.issue("device", "pi5")
    authority.issue("device", "pi5")
    with pytest.raises(UserError, match="pi5 has the role device"):
        authority.issue("operator", "pi5")


@pytest.mark.parametrize("name", ["host", "Host", "HOST"])
@pytest.mark.parametrize("role", ["device", "operator", "viewer"])
def test_nobody_else_gets_the_hosts_name_which_cannot_be_revoked(
    authority: Authority, role: Role, name: str
) -> None:
    with pytest.raises(UserError, match=f"{name} is what the host .* is called"):
        authority.issue(role, name)


def test_a_name_is_there_once_whatever_its_case(authority: Authority) -> None:
    """OpenSSL takes a certificate for PI5 where pi5 is meant."""
    authority.issue("device", "PI5")
    with pytest.raises(UserError, match="PI5 is in this fleet, and TLS takes pi5 for the same"):
        authority.issue("device", "pi5")
    authority.issue("device", "PI5")
    assert authority.register.spelled("pi5") == "PI5"
    assert authority.register.spelled("pi4") == "pi4"


def test_a_list_gets_a_number_above_a_devices_where_one_can_have_it(
    authority: Authority, folder: FleetFolder
) -> None:
    authority.issue("operator", "ann")
    authority.revoke("ann")
    assert authority.renumber_list(above=1)
    assert authority.register.list_number == 2
    assert authority.renumber_list(above=7)
    assert authority.register.list_number == 8
    made = x509.load_pem_x509_crl(authority.revocations)
    assert made.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 8
    assert len(list(made)) == 1
    assert read_bundle(folder.host).revocations.split() == authority.revocations.split()
    assert not authority.renumber_list(above=2**63 - 1)
    assert authority.register.list_number == 8


@pytest.mark.parametrize("name", ["", "a/b", "a..b", "10.0.0.5", "x" * 64, "a b", "pi.", "ä"])
def test_a_name_that_tls_would_not_take_is_refused(authority: Authority, name: str) -> None:
    with pytest.raises(UserError, match="not a name"):
        authority.issue("device", name)


@pytest.mark.parametrize("name", ["all", "and", "or", "not", "local"])
def test_no_device_is_named_as_no_inventory_names_one(authority: Authority, name: str) -> None:
    with pytest.raises(UserError, match=f"not a name for a device: {name}"):
        authority.issue("device", name)
    assert not authority.register.newest(name)
    assert authority.issue("viewer", name)  # a person is in no inventory


def test_a_file_that_cannot_be_joined_is_told(folder: FleetFolder, tmp_path: Path) -> None:
    with pytest.raises(UserError) as missing:
        join_fleet(Path("nosuch.identity"))
    assert missing.value.message == "there is no file nosuch.identity"
    assert "trimtab fleet viewer NAME" in missing.value.advice
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        join_fleet(tmp_path)


def test_a_revocation_names_every_certificate_of_the_name_in_a_newer_list(
    authority: Authority,
) -> None:
    serials = {
        x509.load_pem_x509_certificate(authority.issue("operator", "ann").certificate).serial_number
        for _ in range(2)
    }
    authority.issue("operator", "bob")
    assert authority.revoke("ann").list_number == 2
    made = x509.load_pem_x509_crl(authority.revocations)
    number = made.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    assert number == 2
    assert {each.serial_number for each in made} == serials
    later = authority.issue("operator", "ann")
    assert later.revocations.split() == authority.revocations.split()
    with pytest.raises(UserError, match="nothing in force is named eve"):
        authority.revoke("eve")
    with pytest.raises(UserError, match="cannot revoke itself"):
        authority.revoke("host")


def test_the_hosts_own_identity_is_renewed_before_it_expires(
    authority: Authority, folder: FleetFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = folder.host.read_bytes()
    open_authority(folder)
    assert folder.host.read_bytes() == first
    long_ago = datetime.now(UTC).replace(microsecond=0) - timedelta(days=250)
    with monkeypatch.context() as patch:
        patch.setattr(certificates, "_now", lambda: long_ago)
        with folder.locked():
            authority._write_host(authority.register, new=True)
    old = whose(read_bundle(folder.host).certificate)
    open_authority(folder)
    assert whose(read_bundle(folder.host).certificate).not_after > old.not_after


def test_a_host_that_cannot_renew_its_own_goes_on_with_it_and_says_so(
    authority: Authority, folder: FleetFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    long_ago = datetime.now(UTC).replace(microsecond=0) - timedelta(days=250)
    with monkeypatch.context() as patch:
        patch.setattr(certificates, "_now", lambda: long_ago)
        with folder.locked():
            authority._write_host(authority.register, new=True)
    old = whose(read_bundle(folder.host).certificate)
    lock = folder.path / "lock"
    lock.unlink()
    lock.mkdir()  # whatever keeps the folder from being written
    expiry.told()
    assert own_identity().not_after == old.not_after
    said, why = expiry.told()
    assert said.startswith(
        f"this host's identity, host (operator), ends on {old.not_after:%Y-%m-%d}"
    )
    assert "Is a directory" in why

    lock.rmdir()
    assert own_identity().not_after > old.not_after
    assert expiry.told() == []


def test_a_lost_identity_of_the_authoritys_own_host_is_made_again(
    authority: Authority, folder: FleetFolder
) -> None:
    folder.host.unlink()
    assert own_identity().name == "host"
    assert authority.register.newest("host") is not None


@pytest.mark.parametrize(("left_days", "soon"), [(130, False), (120, True), (-1, True)])
def test_under_a_third_of_its_life_is_soon(left_days: int, soon: bool) -> None:
    end = datetime.now(UTC) + timedelta(days=left_days)
    assert soon_expires(Seen(end - timedelta(days=365), end)) is soon


def test_another_host_joins_and_keeps_no_authority(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_identity("viewer", "ann", None)
    with pytest.raises(UserError, match="keeps a fleet's authority itself"):
        join_fleet(path)
    with pytest.raises(UserError, match="is there already"):
        make_identity("viewer", "ann", None)
    device = make_identity("device", "pi5", None)
    monkeypatch.setenv("TRIMTAB_HOME", str(tmp_path / "other-home"))
    with pytest.raises(UserError, match="belongs to no fleet"):
        own_identity()
    with pytest.raises(UserError, match="no fleet yet"):
        present_authority()
    with pytest.raises(UserError, match="identity of the device pi5"):
        join_fleet(device)
    join_fleet(path)
    assert (own_identity().name, own_identity().role) == ("ann", "viewer")
    with pytest.raises(UserError, match="whose authority is on another host"):
        make_identity("device", "pi4", None)


def test_what_is_no_bundle_is_not_joined(folder: FleetFolder, tmp_path: Path) -> None:
    path = tmp_path / "x.identity"
    path.write_text("nothing")
    with pytest.raises(UserError, match="is no identity of a fleet"):
        join_fleet(path)
