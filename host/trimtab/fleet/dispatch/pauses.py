"""How long to wait before something is tried again."""

from __future__ import annotations

import random

_FIRST_S = 0.5
_LONGEST_S = 30.0


def pause_s(failures: int, draw: random.Random | None = None) -> float:
    """Doubles with each failure, half of it at random: many hosts do not come back at once."""
    longest = min(_FIRST_S * 2.0 ** min(failures, 10), _LONGEST_S)
    return longest * (draw or random).uniform(0.5, 1.0)
