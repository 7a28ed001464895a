"""Nordic's Power Profiler Kit II, through ``ppk2-api`` (IRNAS).

It measures current, up to 1 A; the voltage it is told in ``meters.json``, and energy is current
times that: as right as the voltage is steady. By default it only measures ("ampere" mode) and never
switches the power of what hangs on it. "source" mode, in which it is the supply, and closing its
switch are each asked for by the owner.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trimtab_agent.meters.probe import MeterProbe, Session, library, looks_for
from trimtab_agent.meters.settings import MeterError, MeterSettings, only_known, text_setting

POLL_S = 0.02
_LOWEST_MV, _HIGHEST_MV = 800, 5000  # of the instrument
_SETTINGS = frozenset({"port", "millivolts", "mode", "switch_on"})


class Ppk2Probe(MeterProbe):
    name = "ppk2"
    looks_for = looks_for("a PPK2")
    period_ns = int(POLL_S * 1e9)

    def open(self, settings: MeterSettings) -> Session:
        asked = Asked.from_settings(settings)
        # numpy comes with it: an agent without this meter does without.
        from trimtab_agent.meters.ppk2_session import Ppk2Session

        api = library("ppk2_api.ppk2_api", "ppk2-api").PPK2_API
        session = Ppk2Session(
            api(_choose(asked.port, api.list_devices()), timeout=1, exclusive=True), asked
        )
        try:
            session.start()
        except BaseException:
            session.close()
            raise
        return session


@dataclass(frozen=True)
class Asked:
    millivolts: int
    port: str = ""
    source: bool = False
    switch_on: bool = False

    @classmethod
    def from_settings(cls, settings: MeterSettings) -> Asked:
        only_known("ppk2", settings, _SETTINGS)
        millivolts, mode = settings.get("millivolts"), settings.get("mode", "ampere")
        switch_on = settings.get("switch_on", False)
        if not isinstance(millivolts, int) or not _LOWEST_MV <= millivolts <= _HIGHEST_MV:
            raise MeterError(
                "the ppk2 measures current alone: give the supply's voltage, 800 to 5000, as "
                "millivolts in meters.json"
            )
        if mode not in ("ampere", "source"):
            raise MeterError(f'meters.json: mode of ppk2 is "ampere" or "source", not {mode!r}')
        if not isinstance(switch_on, bool):
            raise MeterError(f"meters.json: switch_on of ppk2 is true or false, not {switch_on!r}")
        port = text_setting("ppk2", settings, "port")
        return cls(millivolts, port, mode == "source", switch_on)


def _choose(port: str, ports: list[Any]) -> str:
    """``ports`` as ``PPK2_API.list_devices`` tells them: names, or pairs of name and serial."""
    if port:
        return port
    names = [each if isinstance(each, str) else str(each[0]) for each in ports]
    if len(names) == 1:
        return names[0]
    if names:
        raise MeterError(
            f"the PPK2 has several ports ({', '.join(names)}): give port in meters.json"
        )
    raise MeterError("no PPK2 is connected, or this user may not see its port")
