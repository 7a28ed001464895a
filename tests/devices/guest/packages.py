"""Debian packages of the guest's own release, through this machine's apt as it is configured.

The kernel of the release before has no PMBus drivers, so the release is fixed and not this
machine's. Apt works in folders of its own: nothing is installed here and no list is changed.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from devices.guest.requirements import GuestUnavailable, output_of

_RELEASE = "trixie"
_KERNEL = "linux-image-amd64"
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# Python and what its modules link to; no package manager and no perl come along.
_USERLAND = (
    *("busybox-static", "libc6", "libgcc-s1", "libstdc++6", "socat", "libwrap0"),
    *("python3.13-minimal", "libpython3.13-minimal", "libpython3.13-stdlib"),
    *("zlib1g", "libexpat1", "libffi8", "libssl3t64", "libbz2-1.0", "liblzma5", "libzstd1"),
    *("libsqlite3-0", "libuuid1"),
)
WANTED = (_RELEASE, _KERNEL, *_USERLAND)


def fetch_packages(folder: Path) -> list[Path]:
    """The .deb files, from ``folder`` where they are there already. Raises GuestUnavailable."""
    kept = folder / "packages"
    if not (folder / "complete").exists():
        kept.mkdir(parents=True, exist_ok=True)
        apt = _own_apt(folder / "apt")
        output_of(["apt-get", *apt, "update"])
        names = [_kernel_package(apt), *_USERLAND]
        output_of(["apt-get", *apt, "download", *names], kept)
        shutil.rmtree(folder / "apt")
        (folder / "complete").touch()
    return sorted(kept.glob("*.deb"))


def _own_apt(folder: Path) -> list[str]:
    """Options that keep apt to ``folder`` and to the guest's release."""
    for name in ("state/lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    status, sources = folder / "status", folder / "sources.list"
    status.touch()
    lines = [f"deb [signed-by={_KEYRING}] {uri} {suite} main" for uri, suite in _archives()]
    sources.write_text("\n".join(lines) + "\n")
    settings = {
        "Dir::State": folder / "state",
        "Dir::State::status": status,
        "Dir::Cache": folder / "cache",
        "Dir::Etc::SourceList": sources,
        "Dir::Etc::SourceParts": "/dev/null",
        "APT::Architecture": "amd64",
        "APT::Architectures": "amd64",
        "Acquire::Languages": "none",
        "Acquire::Retries": "2",
        "APT::Update::Error-Mode": "any",  # no network is otherwise a warning
    }
    if os.geteuid() == 0:  # apt's own user may not write where a home's cache is
        settings["APT::Sandbox::User"] = "root"
    return [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]


def _archives() -> list[tuple[str, str]]:
    """Where this machine gets Debian from, and the guest's suite there."""
    told = "$(ORIGIN) $(RELEASE) $(REPO_URI)"
    found = set()
    for line in output_of(["apt-get", "indextargets", "--format", told]).splitlines():
        origin, _, rest = line.partition(" ")
        release, _, uri = rest.partition(" ")
        if origin == "Debian" and not release.endswith(("-updates", "-backports")):
            suffix = "-security" if release.endswith("-security") else ""
            found.add((uri, _RELEASE + suffix))
    if not found:
        raise GuestUnavailable("apt knows no Debian archive here (run apt-get update)")
    return sorted(found)


def _kernel_package(apt: list[str]) -> str:
    found = re.search(
        r"Depends: (linux-image-\S+)", output_of(["apt-cache", *apt, "depends", _KERNEL])
    )
    if found is None:
        raise GuestUnavailable(f"{_KERNEL} names no kernel")
    return found[1]


def unpack(packages: list[Path], root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    for name in ("bin", "lib", "lib64", "sbin"):  # as on every Debian now: one tree below usr
        (root / "usr" / name).mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(f"usr/{name}")
    for package in packages:
        tar = ["--extract", "--keep-directory-symlink", f"--directory={root}"]
        tar += [f"--exclude=./usr/share/{name}" for name in ("doc", "man", "locale")]
        output_of(["sh", "-c", f'dpkg-deb --fsys-tarfile "$1" | tar {" ".join(tar)}', "-", package])
