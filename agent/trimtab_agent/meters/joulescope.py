"""Joulescope JS220: its own energy accumulator, through Jetperch's ``pyjoulescope_driver``.

The instrument adds up power at its full rate (1 MS/s) and publishes the sum with its statistics
(topic ``s/stats/value``, every ``s/stats/scnt`` samples), so no sample is lost on the way.

It is opened in mode "restore": "defaults" would set its current range anew, and the range "off"
is how a JS220 cuts the power of what hangs on it. Nothing here ever publishes a range.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from trimtab_agent.meters.counter import EnergyCounter
from trimtab_agent.meters.probe import MeterProbe, Session, library, looks_for
from trimtab_agent.meters.settings import MeterError, MeterSettings, only_known, text_setting

_SAMPLES_PER_S = 1_000_000
_UPDATES_PER_S = 50
_STALL_S = 1.0
_FIRST_S = 3.0
_MODEL = "/js220/"
_OFF = (0, "off")
_REMOVED = "@/!remove"
_MJ_PER_J = 1000
_SETTINGS = frozenset({"serial"})


class JoulescopeProbe(MeterProbe):
    name = "joulescope"
    looks_for = looks_for("a Joulescope")
    period_ns = 1_000_000_000 // _UPDATES_PER_S

    def open(self, settings: MeterSettings) -> Session:
        only_known(self.name, settings, _SETTINGS)
        serial = text_setting(self.name, settings, "serial")
        driver = library("pyjoulescope_driver", "pyjoulescope_driver").Driver()
        try:
            session = JoulescopeSession(driver, _choose(driver.device_paths(), serial))
            session.start()
        except BaseException:
            with suppress(Exception):
                driver.finalize()
            raise
        return session


class JoulescopeSession:
    """``path``: the driver's name of the instrument, "u/js220/001122"."""

    def __init__(self, driver: Any, path: str) -> None:
        self._driver = driver
        self._path = path
        self._counter = EnergyCounter(_STALL_S)
        self._energy_j: float | None = None
        self._began_at: int | None = None
        # The driver finds a subscription by its function object: bound methods are made anew.
        self._on_statistics: Callable[[str, Any], None] = self._take
        self._on_removed: Callable[[str, Any], None] = self._unplugged

    @property
    def scope(self) -> str:
        return f"what hangs on the Joulescope {self._path.rpartition('/')[2]}"

    @property
    def failure(self) -> str | None:
        return self._counter.failure

    def read_mj(self) -> float:
        return self._counter.read()

    def start(self) -> None:
        """Raises MeterError where the instrument keeps its target without power, or is silent."""
        self._driver.open(self._path, mode="restore")
        if self._driver.query(f"{self._path}/s/i/range/mode") in _OFF:
            raise MeterError(
                "the JS220's current range is off, so that nothing gets power through it: set it "
                "to auto in the Joulescope UI"
            )
        self._driver.publish(f"{self._path}/s/stats/scnt", _SAMPLES_PER_S // _UPDATES_PER_S)
        self._driver.publish(f"{self._path}/s/stats/ctrl", 1)
        self._driver.subscribe(f"{self._path}/s/stats/value", "pub", self._on_statistics)
        self._driver.subscribe(_REMOVED, "pub", self._on_removed)
        self._counter.wait_for_first(_FIRST_S)

    def close(self) -> None:
        statistics = f"{self._path}/s/stats"
        steps: tuple[Callable[[], object], ...] = (
            lambda: self._driver.unsubscribe(_REMOVED, self._on_removed),
            lambda: self._driver.unsubscribe(f"{statistics}/value", self._on_statistics),
            lambda: self._driver.publish(f"{statistics}/ctrl", 0),
            lambda: self._driver.close(self._path),
            lambda: self._driver.finalize(),
        )
        for step in steps:
            with suppress(Exception):  # what is unplugged refuses each of them
                step()

    def _take(self, _topic: str, value: Any) -> None:
        """One message of statistics; called in the driver's own thread."""
        try:
            energy_j = float(value["accumulators"]["energy"]["value"])
            began_at = int(value["time"]["accum_samples"]["value"][0])
        except (KeyError, IndexError, TypeError, ValueError) as error:
            self._counter.fail(f"the JS220 sent statistics of another form ({error!r})")
            return
        if self._energy_j is None:
            self._counter.add(0.0)
        elif began_at != self._began_at:
            self._counter.fail("the JS220 began to add up anew: its accumulator was cleared")
        else:
            self._counter.add((energy_j - self._energy_j) * _MJ_PER_J)
        self._energy_j, self._began_at = energy_j, began_at

    def _unplugged(self, _topic: str, value: Any) -> None:
        if value == self._path:
            self._counter.fail("the JS220 was unplugged")


def _choose(paths: list[str], serial: str) -> str:
    found = [path for path in paths if _MODEL in path]
    if serial:
        found = [path for path in found if path.rpartition("/")[2] == serial]
    if len(found) == 1:
        return found[0]
    if found:
        serials = ", ".join(path.rpartition("/")[2] for path in found)
        raise MeterError(f"several JS220 are connected ({serials}): give one's serial")
    which = f"JS220 {serial}" if serial else "JS220"
    others = f" (there is {', '.join(paths)})" if paths else ""
    raise MeterError(f"no {which} is connected, or this user may not open it{others}")
