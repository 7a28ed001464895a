"""Android's system properties, and whether this is Android at all.

``getprop`` prints every property that the caller may read, one "[name]: [value]" a line. Where it
cannot be run, the build.prop files hold the part that was fixed at the image's build.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from trimtab_agent.probes.commands import CommandError, Runner, run_command
from trimtab_agent.probes.sysfs import read_text

_SIGNS = ("system/build.prop", "system/bin/getprop", "system/bin/app_process")
_BUILD_FILES = ("system/build.prop", "vendor/build.prop", "product/build.prop", "odm/build.prop")
_LINE = re.compile(r"^\[([^\]]+)\]: \[(.*)\]$")


def is_android(root: Path) -> bool:
    return any(_is_there(root / sign) for sign in _SIGNS)


def android_properties(root: Path, run: Runner = run_command) -> Mapping[str, str]:
    """Name to value, those without a value left out; empty where nothing can be read."""
    try:
        return _printed(run(root, ("getprop",)))
    except CommandError:
        return _built(root)


def android_model(properties: Mapping[str, str]) -> str:
    """ "Google Pixel 8", the maker once; "" where not told."""
    maker = properties.get("ro.product.manufacturer", "")
    model = properties.get("ro.product.model", "")
    if not model or model.lower().startswith(maker.lower()):
        return model
    return f"{maker} {model}"


def android_soc(properties: Mapping[str, str]) -> str:
    """ "Google Tensor G3" since Android 12; before it the platform's code name ("kona")."""
    model = properties.get("ro.soc.model", "")
    if model:
        return " ".join(word for word in (properties.get("ro.soc.manufacturer"), model) if word)
    return properties.get("ro.board.platform", "")


def android_release(properties: Mapping[str, str]) -> str:
    """ "Android 14"; "" where not told."""
    release = properties.get("ro.build.version.release", "")
    return f"Android {release}" if release else ""


def _printed(text: str) -> dict[str, str]:
    lines = (_LINE.match(line.strip()) for line in text.splitlines())
    return {line[1]: line[2] for line in lines if line is not None and line[2]}


def _built(root: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for file in _BUILD_FILES:
        for line in (read_text(root / file) or "").splitlines():
            name, given, value = line.partition("=")
            if given and value.strip() and not name.startswith("#"):
                found.setdefault(name.strip(), value.strip())
    return found


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # an app may not even look into some of these folders
        return False
