"""Durations as people write them."""

from __future__ import annotations

import re

_DURATION = re.compile(r"(?P<number>\d+(\.\d+)?)(?P<unit>ms|s|m|h)?")
_SECONDS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}


def seconds(text: str) -> float | None:
    """From ``500ms``, ``2s``, ``10m``, ``1h`` or bare seconds; None for anything else."""
    match = _DURATION.fullmatch(text)
    return None if match is None else float(match["number"]) * _SECONDS[match["unit"]]
