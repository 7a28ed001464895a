"""What each operator of a model takes, and where it ran: as a device's document tells it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCHEMA = "trimtab.profile/1"
_NS_PER_MS = 1e6


@dataclass(frozen=True)
class OperatorTime:
    """Per inference. ``share``: of the time of all operators; None where times are unavailable."""

    type: str
    name: str
    ran_on: str
    count: float
    total_ms: float | None
    share: float | None


@dataclass(frozen=True)
class OperatorProfile:
    """``p50_ms`` is the profile pass's own median, dearer than the measured one.

    ``unavailable``: why there are no times (then ``operators`` may still say what ran where).
    ``source``: what they are times of, where that is not what was measured.
    """

    operators: tuple[OperatorTime, ...] = ()
    inference_count: int = 0
    p50_ms: float | None = None
    unavailable: str | None = None
    source: str | None = None

    @property
    def operators_ms(self) -> float | None:
        """None where times are unavailable."""
        times = [each.total_ms for each in self.operators]
        return None if not times or None in times else sum(time or 0.0 for time in times)

    @property
    def unexplained_ms(self) -> float | None:
        """What the median inference takes beyond its operators; below 0 where they overlap."""
        total = self.operators_ms
        return None if total is None or self.p50_ms is None else self.p50_ms - total


def read_profile(path: Path) -> OperatorProfile:
    """A document that cannot be read gives a profile that is unavailable, with the reason."""
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if document["schema"] != SCHEMA:
            return OperatorProfile(unavailable=f"the device sent {document['schema']!r}")
        return _profile(document)
    except (ValueError, KeyError, TypeError) as error:
        return OperatorProfile(unavailable=f"the device's profile cannot be read: {error!r}")


def profile_from(document: Mapping[str, Any] | None) -> OperatorProfile | None:
    """What ``dataclasses.asdict`` made plain, as the store keeps it."""
    if document is None:
        return None
    operators = tuple(OperatorTime(**each) for each in document["operators"])
    return OperatorProfile(**{**document, "operators": operators})


def _profile(document: Mapping[str, Any]) -> OperatorProfile:
    durations = [each["duration_ns"] for each in document["operators"]]
    total = None if None in durations else sum(durations)
    operators = tuple(
        OperatorTime(
            type=str(each["type"]),
            name=str(each["name"]),
            ran_on=str(each["ran_on"]),
            count=float(each["count"]),
            total_ms=None if duration is None else duration / _NS_PER_MS,
            share=duration / total if total else None,
        )
        for each, duration in zip(document["operators"], durations, strict=True)
    )
    return OperatorProfile(
        operators=operators,
        inference_count=int(document["inference_count"]),
        p50_ms=document["p50_ns"] / _NS_PER_MS,
        unavailable=document["times_unavailable"] or None,
        source=document.get("source") or None,
    )
