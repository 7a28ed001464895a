"""Why there is no energy."""

from __future__ import annotations


class NoEnergy(Exception):
    """The message is the reason, as it stands beside ``unavailable``."""
