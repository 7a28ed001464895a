"""What the doctor says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's; ``advice`` is empty where there is nothing to do.

    ``voids``: latencies measured now would be INVALID for it.
    """

    name: str
    outcome: Literal["ok", "warning", "unknown"]
    seen: str
    advice: str = ""
    voids: bool = False


@dataclass(frozen=True)
class Examination:
    """``disturbances`` are of this moment."""

    abilities: tuple[Finding, ...]
    harness: tuple[Finding, ...]
    disturbances: tuple[Finding, ...]

    @property
    def sections(self) -> Mapping[str, tuple[Finding, ...]]:
        return {
            "what this device can measure": self.abilities,
            "the harness": self.harness,
            "what disturbs it now": self.disturbances,
        }

    @property
    def voids(self) -> bool:
        return any(finding.voids for found in self.sections.values() for finding in found)
