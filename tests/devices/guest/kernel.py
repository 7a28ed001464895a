"""The kernel's modules that the guest loads, in the order in which they need each other."""

from __future__ import annotations

import lzma
import re
import shutil
from pathlib import Path

# Buses first; the drivers of the emulated chips come by their own names.
WANTED = ("virtio_pci", "virtio_net", "i2c_dev", "i2c_stub", "sbs_battery", "lm75", "pmbus")
_DEPENDS = re.compile(rb"\0depends=([^\0]*)\0")


def take_kernel(root: Path, image: Path) -> None:
    """Move the kernel out of ``root`` to ``image``; only the wanted modules stay, uncompressed.

    ``etc/guest-modules`` lists them.
    """
    (found,) = (root / "boot").glob("vmlinuz-*")
    shutil.move(found, image)
    (folder,) = (root / "usr/lib/modules").iterdir()
    present = {_name(path): path for path in folder.rglob("*.ko*")}
    contents = _with_needed(present)
    for place in (folder, root / "boot"):
        shutil.rmtree(place)
    kept = root / "usr/lib/guest-modules"
    kept.mkdir()
    for name, content in contents.items():
        (kept / f"{name}.ko").write_bytes(content)
    (root / "etc/guest-modules").write_text("\n".join(contents) + "\n")


def _with_needed(present: dict[str, Path]) -> dict[str, bytes]:
    """Contents by name, each after what it needs. What is not there is built in."""
    contents: dict[str, bytes] = {}

    def add(name: str) -> None:
        if name in contents or name not in present:
            return
        content = _content(present[name])
        for needed in _needs(content):
            add(needed)
        contents[name] = content

    for name in WANTED:
        add(name)
    return contents


def _name(path: Path) -> str:
    return path.name.partition(".")[0].replace("-", "_")


def _content(path: Path) -> bytes:
    content = path.read_bytes()
    return lzma.decompress(content) if path.suffix == ".xz" else content


def _needs(content: bytes) -> list[str]:
    found = _DEPENDS.search(content)
    names = found[1].decode().replace("-", "_").split(",") if found else []
    return [name for name in names if name]
