"""What soon expires: noted while a command connects, and said once, at its end."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from trimtab.fleet.identity.certificates import Whose

_LOG = logging.getLogger(__name__)
_SHARE_LEFT = 1 / 3
_NAMED = 5
_RENEWED_BY = (
    "the host that has the fleet's authority renews {} when it next connects; at once there:"
)


class Lifetime(Protocol):
    @property
    def not_before(self) -> datetime: ...
    @property
    def not_after(self) -> datetime: ...


@dataclass(frozen=True)
class _Noted:
    """``not_renewed``: why not, where this host is the one to renew it."""

    not_after: datetime
    not_renewed: str


_devices: dict[str, _Noted] = {}
_own: list[tuple[Whose, str]] = []


def soon_expires(life: Lifetime) -> bool:
    """Whether under a third of the certificate's life is left."""
    whole = life.not_after - life.not_before
    return life.not_after - datetime.now(UTC) < whole * _SHARE_LEFT


def note_device(name: str, life: Lifetime, not_renewed: str = "") -> None:
    if name not in _devices:
        _LOG.warning("%s: its certificate ends on %s", name, _day(life.not_after))
    _devices[name] = _Noted(life.not_after, not_renewed)


def note_own(own: Whose, not_renewed: str = "") -> None:
    if not _own:
        _LOG.warning("this host's identity ends on %s", _day(own.not_after))
    _own[:] = [(own, not_renewed)]


def told() -> list[str]:
    """The lines for a person about all that was noted since, which is forgotten then."""
    lines = [line for own, why in _own for line in _of_own(own, why)]
    lines += _of_devices({name: each for name, each in _devices.items() if not each.not_renewed})
    for name, each in _devices.items():
        if each.not_renewed:
            lines += [_ends([name], each.not_after), f"  renewing it failed: {each.not_renewed}"]
            lines.append(f"  trimtab fleet rotate {name}")
    _own.clear()
    _devices.clear()
    return lines


def _of_own(own: Whose, why: str) -> list[str]:
    verb = "ended" if own.not_after < datetime.now(UTC) else "ends"
    ends = f"this host's identity, {own.name} ({own.role}), {verb} on {_day(own.not_after)}"
    lines = [f"{ends}: no device lets it in after that"]
    if why:
        return [*lines, f"  renewing it failed: {why}"]
    makes = f"trimtab fleet {own.role} {own.name}"
    lines.append(f"  on the host that has the fleet's authority: {makes}")
    return [*lines, f"  then here: trimtab fleet join {own.name}.identity"]


def _of_devices(devices: dict[str, _Noted]) -> list[str]:
    if not devices:
        return []
    names = sorted(devices, key=lambda name: (devices[name].not_after, name))
    chosen = "" if len(names) > _NAMED else f" {' '.join(names)}"
    advice = _RENEWED_BY.format("it" if len(names) == 1 else "them")
    lines = [_ends(names, devices[names[0]].not_after), f"  {advice}"]
    return [*lines, f"  trimtab fleet rotate{chosen}"]


def _ends(names: Sequence[str], first: datetime) -> str:
    if len(names) == 1:
        return f"{names[0]}: its certificate ends on {_day(first)}: no host connects after that"
    shown = ", ".join(names[:_NAMED])
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    what = f"{shown}{more}: their certificates end soon, the first on {_day(first)}"
    return f"{what}: no host connects after that"


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
