"""Origins in recordings, which name no folder of any machine."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import PurePosixPath

from trimtab.records import Origin


def without_folder(origin: Origin) -> Origin:
    """Sources go by their bare names."""
    sources = tuple(replace(each, name=PurePosixPath(each.name).name) for each in origin.sources)
    return replace(origin, folder="", sources=sources)


def origin_problem(origin: Origin) -> str:
    """A rebuild runs the source: a recording may not say which file of this machine that is."""
    if origin.folder or not origin.sources:
        return "an origin names a folder, or no source"
    for source in origin.sources:
        if not is_bare(source.name):
            return f"the source {source.name[:40]!r} is not a bare name"
    return ""


def is_bare(name: str) -> bool:
    return name not in ("", ".", "..") and not re.search(r"[/\\\x00-\x1f]", name)
