"""The register stays whole with several writers, killed ones, and a folder that was restored."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from trimtab.fleet.identity import register_file as module
from trimtab.fleet.identity.authority import Authority, open_authority
from trimtab.fleet.identity.folder import FleetFolder
from trimtab.fleet.identity.register import Entry, Register
from trimtab.fleet.identity.register_file import RegisterFile
from trimtab.records import UserError

_WRITER = """
import sys
from pathlib import Path
from trimtab.fleet.identity import register_file
from trimtab.fleet.identity.authority import open_authority
from trimtab.fleet.identity.folder import FleetFolder

register_file._LINES_BEFORE_ANEW = 0  # often
authority = open_authority(FleetFolder(Path(sys.argv[1])))
for number in range(int(sys.argv[3])):
    name = f"{sys.argv[2]}-{number}"
    authority.issue("device", name)
    authority.note_told(name, 1)
    print(name, flush=True)
"""


@pytest.fixture
def folder(tmp_path: Path) -> FleetFolder:
    return FleetFolder(tmp_path / "fleet")


@pytest.fixture
def authority(folder: FleetFolder) -> Authority:
    return open_authority(folder)


def _writer(folder: FleetFolder, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _WRITER, str(folder.path), name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _lines(folder: FleetFolder) -> Path:
    (found,) = folder.path.glob("issued-*.lines")
    return found


def _names(folder: FleetFolder) -> list[str]:
    """As a process that starts now reads them."""
    return [each.name for each in RegisterFile(folder.register).read().entries]


def _entry(name: str, serial: int, left_days: float, revoked: str = "") -> Entry:
    end = datetime.now(UTC) + timedelta(days=left_days)
    return Entry(name, "device", str(serial), end.isoformat(), "", revoked)


def test_a_device_costs_a_line_and_the_whole_file_is_read_once(
    authority: Authority, folder: FleetFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = folder.register.read_bytes()
    whole: list[RegisterFile] = []
    read_whole = RegisterFile._read_whole

    def counted(self: RegisterFile) -> None:
        whole.append(self)
        read_whole(self)

    monkeypatch.setattr(RegisterFile, "_read_whole", counted)
    for number in range(20):
        open_authority(folder).issue("device", f"pi-{number}")
        open_authority(folder).note_told(f"pi-{number}", 1)
    assert whole == []
    assert folder.register.read_bytes() == before
    assert stat.S_IMODE(_lines(folder).stat().st_mode) == 0o600
    size = _lines(folder).stat().st_size
    authority.note_told("pi-3", 1)  # no news
    assert _lines(folder).stat().st_size == size
    assert _names(folder) == ["host", *(f"pi-{number}" for number in range(20))]
    assert RegisterFile(folder.register).read().told == {f"pi-{n}": 1 for n in range(20)}


def test_processes_that_write_at_once_lose_nothing(
    authority: Authority, folder: FleetFolder
) -> None:
    writers = [_writer(folder, name, 30) for name in "abc"]
    seen = 0
    while any(writer.poll() is None for writer in writers):
        now = len(authority.register.entries)
        assert now >= seen
        seen = now
    for writer in writers:
        writer.communicate()
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    expected = {f"{name}-{number}" for name in "abc" for number in range(30)}
    assert set(authority.register.told) == expected
    assert set(_names(folder)) == {"host", *expected}
    assert len(_names(folder)) == 91


def test_what_a_killed_process_gave_out_can_be_revoked(
    authority: Authority, folder: FleetFolder
) -> None:
    for attempt in range(4):
        writer = _writer(folder, f"w{attempt}", 10_000)
        assert writer.stdout is not None
        given = [writer.stdout.readline().strip() for _ in range(10 + attempt)]
        writer.kill()
        given += writer.communicate()[0].split()
        assert set(given) <= set(_names(folder))
        assert set(given) <= set(authority.register.told)
        authority.issue("operator", f"ann-{attempt}")
        assert _names(folder)[-1] == f"ann-{attempt}"


def test_half_a_line_counts_for_nothing_and_is_cut_off(
    authority: Authority, folder: FleetFolder
) -> None:
    authority.issue("device", "pi4")
    with _lines(folder).open("ab") as file:
        file.write(b'{"told": "pi4", "list": 1}'[:-3])
    assert authority.register.told == RegisterFile(folder.register).read().told == {}
    authority.issue("device", "pi5")
    assert _names(folder) == ["host", "pi4", "pi5"]
    assert authority.register.told == {}


def test_a_whole_line_that_is_broken_is_said(authority: Authority, folder: FleetFolder) -> None:
    authority.issue("device", "pi4")
    with _lines(folder).open("ab") as file:
        file.write(b'{"name": "pi5"}\n')
    with pytest.raises(UserError, match=r"issued\.json cannot be read"):
        _ = authority.register
    with pytest.raises(UserError, match=r"issued\.json cannot be read"):
        authority.issue("device", "pi5")


def test_the_lines_go_into_the_file_now_and_then(
    authority: Authority, folder: FleetFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LINES_BEFORE_ANEW", 3)
    other = RegisterFile(folder.register)
    names = ["host"]
    for number in range(20):
        authority.issue("device", f"pi-{number}")
        names.append(f"pi-{number}")
        assert [each.name for each in other.read().entries] == names
    assert len(json.loads(folder.register.read_bytes())["entries"]) > 5
    assert len(_lines(folder).read_bytes().splitlines()) < 20


def test_lines_of_another_file_are_not_read(authority: Authority, folder: FleetFolder) -> None:
    """Killed between the new file and the removal of the old lines."""
    authority.issue("device", "pi4")
    kept, lines = _lines(folder).read_bytes(), _lines(folder)
    authority.revoke("pi4")
    assert not lines.exists()
    lines.write_bytes(kept)
    assert [each.state()[:7] for each in authority.register.entries] == ["in forc", "revoked"]
    authority.issue("operator", "ann")
    authority.revoke("ann")
    assert not lines.exists()


def test_a_folder_that_is_restored_under_a_process_is_read_anew(
    authority: Authority, folder: FleetFolder, tmp_path: Path
) -> None:
    authority.issue("device", "pi4")
    shutil.copytree(folder.path, tmp_path / "backup")
    authority.issue("device", "lost")
    # The same file as before, with fewer lines beside it.
    shutil.copy2(tmp_path / "backup" / _lines(folder).name, _lines(folder))
    assert [each.name for each in authority.register.entries] == ["host", "pi4"]
    authority.issue("device", "pi5")
    assert _names(folder) == ["host", "pi4", "pi5"]


def test_a_register_of_before_there_were_lines_is_read(
    authority: Authority, folder: FleetFolder
) -> None:
    content = json.loads(folder.register.read_bytes())
    del content["lines"]
    content["told"] = {"pi4": 1}
    folder.register.write_text(json.dumps(content))
    authority.issue("device", "pi5")
    assert authority.register.told == {"pi4": 1}
    assert _names(folder)[-1] == "pi5"


def test_only_what_nobody_needs_any_more_leaves_the_register() -> None:
    entries = [
        _entry("renewed", 1, -100),
        _entry("renewed", 2, 30),  # replaced, but it still opens the device
        _entry("renewed", 3, 300),
        _entry("gone", 4, -100),
        _entry("revoked-and-over", 5, -31, revoked="2026-01-01"),
        _entry("revoked-just-over", 6, -29, revoked="2026-01-01"),
        _entry("revoked", 7, 100, revoked="2026-01-01"),
    ]
    told = {"renewed": 1, "revoked-and-over": 1}
    left = Register("f", 4, entries, told).without_expired()
    assert [each.serial for each in left.entries] == ["2", "3", "4", "6", "7"]
    assert left.revoked_serials() == [6, 7]
    assert left.told == {"renewed": 1}
    assert left.list_number == 4
    assert left.revoke("renewed").revoked_serials() == [2, 3, 6, 7]


def test_a_list_names_no_certificate_that_has_long_expired(
    authority: Authority, folder: FleetFolder
) -> None:
    from cryptography import x509

    for name, days in (("old", -31.0), ("eve", 10.0)):
        authority.issue("operator", name, days)
        authority.revoke(name)
    made = x509.load_pem_x509_crl(authority.revocations)
    assert len(list(made)) == 1
    assert _names(folder) == ["host", "eve"]
