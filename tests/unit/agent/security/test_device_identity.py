"""Which bundles an agent takes, at its start and while it serves."""

from __future__ import annotations

import shutil
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from trimtab.fleet.identity.authority import Authority, open_authority
from trimtab.fleet.identity.bundle import read_bundle, with_header
from trimtab.fleet.identity.folder import FleetFolder
from trimtab_agent.config import ConfigError
from trimtab_agent.security.bundle import BundleError, NotKept
from trimtab_agent.security.crl import read_revocations
from trimtab_agent.security.identity import load_identity
from trimtab_protos.errors import IdentityInvalid

BundleFile = Callable[..., Path]


def test_a_bundle_says_who_the_device_is(bundle_file: BundleFile, authority: Authority) -> None:
    path = bundle_file()
    identity = load_identity(path)
    assert (identity.own.name, identity.own.role) == ("pi5", "device")
    assert identity.fleet_id == authority.register.fleet_id
    assert identity.own.serial == int(authority.register.entries[-1].serial)
    assert identity.revocations.number == 1
    assert identity.clock_problem() == ""


def test_lines_of_text_before_the_blocks_are_no_matter(bundle_file: BundleFile) -> None:
    path = bundle_file()
    path.write_bytes(with_header(read_bundle(path), "id", "device", "pi5"))
    assert load_identity(path).own.name == "pi5"


def test_a_file_that_others_may_read_is_refused(bundle_file: BundleFile) -> None:
    path = bundle_file()
    path.chmod(0o640)
    with pytest.raises(ConfigError, match=f"chmod 600 {path}"):
        load_identity(path)


@pytest.mark.parametrize("role", ["operator", "viewer"])
def test_a_persons_identity_is_refused(bundle_file: BundleFile, role: str) -> None:
    with pytest.raises(ConfigError, match=r"purpose|not a device's"):
        load_identity(bundle_file(role, "ann"))


def test_an_expired_one_is_refused(bundle_file: BundleFile) -> None:
    with pytest.raises(ConfigError, match="expired on"):
        load_identity(bundle_file(days=-1))


def test_a_key_that_is_anothers_is_refused(bundle_file: BundleFile, authority: Authority) -> None:
    path = bundle_file()
    mine, other = read_bundle(path), authority.issue("device", "pi4")
    path.write_bytes(other.key + mine.certificate + mine.authority + mine.revocations)
    with pytest.raises(ConfigError, match="key is not that of the certificate"):
        load_identity(path)


def test_another_fleets_authority_is_refused(
    bundle_file: BundleFile, other_authority: Authority
) -> None:
    path = bundle_file()
    mine, other = read_bundle(path), other_authority.issue("device", "pi5")
    path.write_bytes(mine.key + mine.certificate + other.authority + other.revocations)
    with pytest.raises(ConfigError, match="do not belong together"):
        load_identity(path)


@pytest.mark.parametrize("cut", [0, 100, 900, -40])
def test_a_torn_file_is_refused(bundle_file: BundleFile, cut: int) -> None:
    path = bundle_file()
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ConfigError, match="no bundle"):
        load_identity(path)


def test_a_clock_before_the_certificate_is_said(
    bundle_file: BundleFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bundle_file()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    problem = load_identity(path).clock_problem()
    assert "1970-01-01" in problem
    assert "clock" in problem


def test_a_new_identity_is_kept_and_in_force(bundle_file: BundleFile, authority: Authority) -> None:
    path = bundle_file()
    identity = load_identity(path)
    before = identity.context
    identity.install(authority.issue("device", "pi5").pem())
    assert identity.context is not before
    assert load_identity(path).own.serial == identity.own.serial
    assert identity.own.serial == int(authority.register.entries[-1].serial)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_is_not_this_devices_is_not_installed(
    bundle_file: BundleFile, authority: Authority, other_authority: Authority
) -> None:
    path = bundle_file()
    identity, before = load_identity(path), path.read_bytes()
    for bundle, why in (
        (authority.issue("device", "pi4"), "it is for pi4"),
        (other_authority.issue("device", "pi5"), "another fleet"),
        (authority.issue("operator", "ann"), "purpose|not a device's"),
        (authority.issue("device", "pi5", days=-1), "expired"),
    ):
        with pytest.raises(BundleError, match=why):
            identity.install(bundle.pem())
    with pytest.raises(BundleError, match="no bundle"):
        identity.install(b"\x00" * 100)
    assert path.read_bytes() == before


def test_a_revocation_list_is_taken_once_and_never_an_older_one(
    bundle_file: BundleFile, authority: Authority
) -> None:
    path = bundle_file()
    ann = authority.issue("operator", "ann")
    identity, first = load_identity(path), authority.revocations
    told: list[frozenset[int]] = []
    identity.on_revoked = told.append
    authority.revoke("ann")
    assert identity.revoke(authority.revocations) == 2
    assert identity.revoke(authority.revocations) == 2
    assert told == [read_revocations(authority.revocations).serials]
    with pytest.raises(IdentityInvalid, match="older than the present one") as refused:
        identity.revoke(first)
    assert refused.value.metadata == {"revocation_number": "2"}
    assert load_identity(path).revocations.number == 2
    assert ann.certificate not in path.read_bytes()


def test_another_list_of_the_same_number_is_refused(
    bundle_file: BundleFile, authority: Authority, tmp_path: Path
) -> None:
    """It would pass for in force, and whom it names would go on coming in."""
    identity = load_identity(bundle_file())
    for name in ("ann", "eve"):
        authority.issue("operator", name)
    shutil.copytree(tmp_path / "fleet", tmp_path / "backup")
    authority.revoke("ann")
    identity.revoke(authority.revocations)
    restored = open_authority(FleetFolder(tmp_path / "backup"))
    restored.revoke("eve")
    before = identity.revocations
    for take in (
        lambda: identity.revoke(restored.revocations),
        lambda: identity.install(restored.issue("device", "pi5").pem()),
    ):
        with pytest.raises(IdentityInvalid, match="as the present one has") as refused:
            take()
        assert refused.value.metadata == {"revocation_number": "2"}
        assert identity.revocations == before
    restored.renumber_list(above=2)
    assert identity.revoke(restored.revocations) == 3
    assert identity.revocations.serials == set(restored.register.revoked_serials())


def test_a_list_that_the_authority_did_not_sign_is_refused(
    bundle_file: BundleFile, other_authority: Authority
) -> None:
    identity = load_identity(bundle_file())
    other_authority.issue("viewer", "eve")
    other_authority.revoke("eve")
    with pytest.raises(BundleError, match="do not belong together"):
        identity.revoke(other_authority.revocations)
    assert identity.revocations.number == 1


def test_where_the_file_cannot_be_written_who_is_revoked_is_so_at_once(
    bundle_file: BundleFile, authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    identity = load_identity(in_a_folder_of_its_own(bundle_file, tmp_path))
    folder, away = tmp_path / "card", tmp_path / "away"
    ann = authority.issue("operator", "ann")
    told: list[frozenset[int]] = []
    identity.on_revoked = told.append
    before = identity.context
    authority.revoke("ann")
    folder.rename(away)
    for _ in range(2):  # whoever sends it again hears it again
        with pytest.raises(NotKept, match=f"list 2 is in force, and not kept: .*{folder}") as kept:
            identity.revoke(authority.revocations)
        assert "after a restart goes by the list in it" in str(kept.value)
    serial = int(authority.register.entries[-1].serial)
    assert told == [frozenset({serial})]
    assert identity.revocations.serials == {serial}
    assert identity.context is not before
    errors = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "list 2 is in force, and not kept" in errors[0].getMessage()
    assert load_identity(away / "pi5.identity").revocations.number == 1

    away.rename(folder)
    assert identity.revoke(authority.revocations) == 2
    assert load_identity(folder / "pi5.identity").revocations.number == 2
    assert len(told) == 1
    assert ann.certificate not in (folder / "pi5.identity").read_bytes()


def test_where_the_file_cannot_be_written_a_new_identity_is_not_taken_and_its_list_is(
    bundle_file: BundleFile, authority: Authority, tmp_path: Path
) -> None:
    identity = load_identity(in_a_folder_of_its_own(bundle_file, tmp_path))
    own = identity.own
    authority.issue("operator", "ann")
    authority.revoke("ann")
    new = authority.issue("device", "pi5").pem()
    (tmp_path / "card").rename(tmp_path / "away")
    with pytest.raises(BundleError, match=r"cannot write .*: No such file"):
        identity.install(new)
    assert identity.own == own
    assert identity.revocations == read_revocations(authority.revocations)
    (tmp_path / "away").rename(tmp_path / "card")
    identity.install(new)
    assert identity.own.serial == int(authority.register.entries[-1].serial)
    assert load_identity(tmp_path / "card" / "pi5.identity").revocations.number == 2


def in_a_folder_of_its_own(bundle_file: BundleFile, tmp_path: Path) -> Path:
    """One that can be taken away: nothing can be written in it then, by root either."""
    (tmp_path / "card").mkdir()
    return bundle_file().rename(tmp_path / "card" / "pi5.identity")
