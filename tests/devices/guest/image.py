"""What the guest boots: kernel, a base that is kept, and the agent as it is now."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import tomllib
from devices.guest import archive, kernel, packages
from devices.guest.requirements import cache_folder, output_of

_HERE = Path(__file__).resolve().parent
_REPOSITORY = _HERE.parents[2]
_OWN = ("protos", "agent")
_PYTHON = "3.13"
_SITE = f"usr/local/lib/python{_PYTHON}/dist-packages"
_MAKES_THE_BASE = ("archive.py", "image.py", "init.sh", "kernel.py", "packages.py")
_DIGITS = 12
_LIBRARIES = "usr/lib/x86_64-linux-gnu"


@dataclass(frozen=True)
class Image:
    kernel: Path
    files: Path


def build_image(folder: Path) -> Image:
    """The agent's part goes to ``folder``. Raises GuestUnavailable."""
    base = _base(cache_folder())
    whole = folder / "files"
    with whole.open("wb") as file, tempfile.TemporaryDirectory() as scratch:
        with (base / "files").open("rb") as kept:
            shutil.copyfileobj(kept, file)
        root = Path(scratch) / "root"
        _install(_own_wheels(Path(scratch)), root / _SITE)
        archive.write_archive(root, file)
    return Image(base / "kernel", whole)


def _base(cache: Path) -> Path:
    requirements = _requirements()
    base = cache / f"base-{_key(requirements)}"
    if not (base / "files").exists():
        debian = cache / f"debian-{_digest(' '.join(packages.WANTED))}"
        python = cache / f"wheels-{_digest(' '.join(requirements))}"
        debs, wheels = packages.fetch_packages(debian), _fetch_wheels(python, requirements)
        _keep_only(cache, debian, python)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            _make_base(Path(scratch), debs, wheels)
            (Path(scratch) / "done").rename(base)
    return base


def _keep_only(cache: Path, *wanted: Path) -> None:
    """Of what was made here: the folder may be one that holds other things too."""
    for kind in ("base", "debian", "wheels"):
        for folder in {*cache.glob(f"{kind}-{'[0-9a-f]' * _DIGITS}")} - {*wanted}:
            shutil.rmtree(folder)


def _key(requirements: list[str]) -> str:
    sources = [(_HERE / name).read_text() for name in _MAKES_THE_BASE]
    return _digest("\n".join([*requirements, *sources]))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def _requirements() -> list[str]:
    """Of the agent and the contract, without each other; the null runtime needs no more."""
    found = set()
    for name in _OWN:
        project = tomllib.loads((_REPOSITORY / name / "pyproject.toml").read_text())["project"]
        found |= {each for each in project["dependencies"] if not each.startswith("trimtab-")}
    return sorted(found)


def _fetch_wheels(folder: Path, requirements: list[str]) -> list[Path]:
    """For the guest's Python, not for this one."""
    if not (folder / "complete").exists():
        platforms = [f"--platform=manylinux_2_{n}_x86_64" for n in (17, 27, 28, 34)]
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:"]
        command += [f"--python-version={_PYTHON}", "--implementation=cp", *platforms]
        output_of([*command, "--platform=manylinux2014_x86_64", f"--dest={folder}", *requirements])
        (folder / "complete").touch()
    return sorted(folder.glob("*.whl"))


def _own_wheels(scratch: Path) -> list[Path]:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    output_of([*command, f"--wheel-dir={scratch}", *(str(_REPOSITORY / name) for name in _OWN)])
    return sorted(scratch.glob("*.whl"))


def _install(wheels: list[Path], site: Path) -> None:
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as file:
            file.extractall(site)


def _make_base(scratch: Path, debs: list[Path], wheels: list[Path]) -> None:
    root, done = scratch / "root", scratch / "done"
    done.mkdir()
    packages.unpack(debs, root)
    (root / "etc").mkdir(exist_ok=True)
    kernel.take_kernel(root, done / "kernel")
    _install(wheels, root / _SITE)
    _drop_tests(root)
    _compile(root)
    for name in ("proc", "sys", "dev", "run", "tmp", "root", "var/lib", "opt/busybox"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "usr/bin/python3").symlink_to(f"python{_PYTHON}")
    shutil.copy(_HERE / "init.sh", root / "init")
    (root / "init").chmod(0o755)
    with (done / "files").open("wb") as file:
        archive.write_archive(root, file)


def _drop_tests(root: Path) -> None:
    """The guest holds every file in memory."""
    for folder in [*(root / _SITE).rglob("tests"), *(root / "usr/lib").rglob("idlelib")]:
        shutil.rmtree(folder, ignore_errors=True)


def _compile(root: Path) -> None:
    """With the guest's own Python, run here: emulated it takes many times as long.

    No matter where it does not run: the guest compiles what it imports.
    """
    libraries = root / _LIBRARIES
    subprocess.run(
        [
            *(libraries / "ld-linux-x86-64.so.2", "--library-path", libraries),
            *(root / f"usr/bin/python{_PYTHON}", "-m", "compileall", "-q", "-s", root),
            *("--invalidation-mode=unchecked-hash", root / _SITE),
            root / f"usr/lib/python{_PYTHON}",
        ],
        env={"PYTHONHOME": str(root / "usr")},
        capture_output=True,
        check=False,
    )
