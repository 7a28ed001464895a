"""A Power Profiler Kit II at work: its samples fetched, and added up to an energy."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Any

from trimtab_agent.meters.counter import EnergyCounter
from trimtab_agent.meters.ppk2 import POLL_S, Asked
from trimtab_agent.meters.ppk2_samples import SAMPLE_S, Decoder, NotSamples
from trimtab_agent.meters.probe import describe
from trimtab_agent.meters.settings import MeterError

_FULL_BYTES = 4000
_MOST_BYTES = 1 << 20
_QUIET_S = 0.1  # from the command to stop until nothing comes any more
_STALL_S = 0.5
_FIRST_S = 2.0
_MOST_LOST = 0.01  # of the samples of a session
_JUDGED_FROM_S = 2.0
_ON_THE_WAY_S = 0.25  # samples that this machine has not fetched yet may be that old
_MJ_PER_J = 1000


class Ppk2Session:
    """Bytes are fetched by a thread of its own; ``api`` is touched by it alone once it runs."""

    def __init__(self, api: Any, asked: Asked) -> None:
        self._api = api
        self._asked = asked
        self._counter = EnergyCounter(_STALL_S)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._samples = self._lost = 0

    @property
    def scope(self) -> str:
        volts = f"{self._asked.millivolts / 1000:g} V"
        how = "supplied by the PPK2" if self._asked.source else "as given, not measured"
        return f"what hangs on the PPK2, at {volts} ({how})"

    @property
    def failure(self) -> str | None:
        return self._counter.failure

    def read_mj(self) -> float:
        return self._counter.read()

    def start(self) -> None:
        """Raises MeterError where the instrument does not answer as a PPK2."""
        self._api.stop_measuring()  # one left running would answer with samples
        time.sleep(_QUIET_S)
        self._drain()
        if not self._api.get_modifiers():
            raise MeterError("the PPK2 does not tell its calibration: unplug it and plug it in")
        # The mode first: in source mode, which an earlier user may have left, the voltage that
        # follows would at once be that of whatever hangs on it.
        if self._asked.source:
            self._api.use_source_meter()
        else:
            self._api.use_ampere_meter()
        self._api.set_source_voltage(self._asked.millivolts)
        if self._asked.switch_on:
            self._api.toggle_DUT_power("ON")
        decoder = Decoder(self._api.modifiers, self._api.adc_mult, self._asked.millivolts / 1000)
        self._api.start_measuring()
        self._thread = threading.Thread(
            target=self._fetch, args=(decoder,), name="ppk2", daemon=True
        )
        self._thread.start()
        self._counter.wait_for_first(_FIRST_S)

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_FIRST_S)
        with suppress(Exception):  # what is unplugged refuses
            self._api.stop_measuring()
        with suppress(Exception):
            self._api.ser.close()

    def _fetch(self, decoder: Decoder) -> None:
        began_at: float | None = None
        while not self._stop.is_set() and self._counter.failure is None:
            try:
                data = self._drain()
            except Exception as error:  # pyserial's, or the system's own
                self._counter.fail(f"the PPK2 was unplugged or its port closed ({describe(error)})")
                return
            if data:
                self._take(decoder, data)
                now = time.monotonic()
                if began_at is None:
                    began_at = now  # what came first had waited for an unknown time
                    self._samples = self._lost = 0
                self._judge(now - began_at)
            self._stop.wait(POLL_S)

    def _drain(self) -> bytes:
        """All that waits: one call gives no more than the terminal's buffer, 10 ms of samples."""
        data = chunk = bytes(self._api.get_data())
        while len(chunk) >= _FULL_BYTES and len(data) < _MOST_BYTES:
            chunk = bytes(self._api.get_data())
            data += chunk
        return data

    def _take(self, decoder: Decoder, data: bytes) -> None:
        try:
            block = decoder.decode(data)
        except NotSamples:
            self._counter.fail("what the PPK2 sends are no samples (bytes were lost on the way)")
            return
        if block is not None:
            self._samples += block.count
            self._lost += block.lost
            self._counter.add(block.charge_c * self._asked.millivolts / 1000 * _MJ_PER_J)

    def _judge(self, elapsed_s: float) -> None:
        """Gaps of more than 63 samples do not show in their counter: the time shows them."""
        if elapsed_s < _JUDGED_FROM_S:
            return
        due = elapsed_s / SAMPLE_S
        lost = self._lost + max(due - self._samples - _ON_THE_WAY_S / SAMPLE_S, 0)
        if lost > due * _MOST_LOST:
            self._counter.fail(f"the PPK2 lost {lost / due:.0%} of its samples: use another port")
