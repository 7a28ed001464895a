"""Recipes whose passes are turned until a target is reached, and no further."""

from trimtab.compress.progressive.pipeline import Pipeline
from trimtab.compress.progressive.recipe import load_passes
from trimtab.compress.progressive.workshop import (
    Attempt,
    CannotBeMade,
    Outcome,
    Workshop,
)

__all__ = [
    "Attempt",
    "CannotBeMade",
    "Outcome",
    "Pipeline",
    "Workshop",
    "load_passes",
]
