"""The guest's emulated chips: registers of a stub bus, which the real drivers read.

A smart battery (Smart Battery Data Specification 1.1), a PMBus voltage regulator (PMBus 1.2, part
II: the LINEAR formats) and an LM75 thermometer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from devices.guest.machine import Guest

_BUS = 0
_BATTERY, _REGULATOR, _THERMOMETER = 0x0B, 0x40, 0x48
_KELVIN_TENTHS = 2731.5
_INITIALIZED, _DISCHARGING, _FULLY_CHARGED = 0x80, 0x40, 0x20
_LINEAR16_EXPONENT = -9


def reset(guest: Guest) -> None:
    """A battery that gives 6 W at 30 °C, a regulator that takes 3.75 W, a board at 48 °C."""
    set_battery(guest, current_a=-0.5)
    set_regulator(guest, input_w=3.75, output_w=3.25)
    set_thermometer(guest, 48.0)


def plug_in(guest: Guest) -> None:
    """Plausible values first, for drivers read their chip when they meet it."""
    reset(guest)
    # What a battery tells of itself: 5 Ah and 11.1 V by design, version 1.1, 42 cycles.
    _write(guest, _BATTERY, {0x10: 5000, 0x17: 42, 0x18: 5000, 0x19: 11100, 0x1A: 0x0031})
    for driver, address in (
        ("sbs-battery", _BATTERY),
        ("bmr453", _REGULATOR),
        ("lm75", _THERMOMETER),
    ):
        guest.shell(f"echo {driver} {address:#04x} >/sys/bus/i2c/devices/i2c-{_BUS}/new_device")


def set_battery(
    guest: Guest,
    *,
    current_a: float,
    voltage_v: float = 12.0,
    celsius: float = 30.0,
    percent: int = 77,
) -> None:
    """Negative: it is discharged. A current of 0 goes with a full battery."""
    state = _INITIALIZED
    if current_a <= 0:
        state |= _DISCHARGING if current_a else _FULLY_CHARGED
    current = round(current_a * 1000)
    registers = {
        0x03: 0,  # capacities in mAh and not in 10 mWh
        0x08: round(celsius * 10 + _KELVIN_TENTHS),
        0x09: round(voltage_v * 1000),
        0x0A: current,
        0x0B: current,
        0x0D: percent,
        0x0F: 50 * percent,
        0x16: state,
    }
    _write(guest, _BATTERY, registers)


@contextmanager
def battery_without_driver(guest: Guest) -> Iterator[None]:
    """Its files vanish, and reads that are open fail, as when a battery is pulled."""
    driver, device = "/sys/bus/i2c/drivers/sbs-battery", f"{_BUS}-{_BATTERY:04x}"
    guest.shell(f"echo {device} >{driver}/unbind")
    try:
        yield
    finally:
        guest.shell(f"echo {device} >{driver}/bind")


@contextmanager
def unsteady_battery(guest: Guest, current_a: float, swing: float = 0.05) -> Iterator[None]:
    """A load as devices have one: the current goes up and down by that share, five times a second.

    Its mean is ``current_a``. A sensor that never moves is rightly not trusted.
    """
    steps = "; ".join(
        f"{_set_current(str(_word(current_a * share)))}; usleep 100000"
        for share in (1 - swing, 1 + swing)
    )
    with guest.background(f"while true; do {steps}; done"):
        yield


@contextmanager
def battery_under_load(guest: Guest, idle_a: float, busy_a: float) -> Iterator[None]:
    """It gives more the busier the guest's processor was in the last tenth of a second.

    A hundredth up and down on top: no load is so even that a gauge stands still for seconds.
    """
    idle, more = (round(each * 1000) for each in (idle_a, busy_a - idle_a))
    with guest.background(f"""
        busy_before=0; all_before=0; wobble=1
        while true; do
            read -r _ user nice system idle rest </proc/stat
            busy=$((user + nice + system)); all=$((busy + idle))
            if [ $all -gt $all_before ]; then
                load=$(({more} * (busy - busy_before) / (all - all_before)))
                {_set_current(f"$((65536 - ({idle} + load) * (100 + wobble) / 100))")}
                wobble=$((-wobble))
            fi
            busy_before=$busy; all_before=$all
            usleep 100000
        done"""):
        yield


def _set_current(word: str) -> str:
    return f"i2cset -f -y {_BUS} {_BATTERY:#04x} 0x0a {word} w"


def _word(current_a: float) -> int:
    return round(current_a * 1000) & 0xFFFF


def set_battery_temperature(guest: Guest, celsius: float) -> None:
    _write(guest, _BATTERY, {0x08: round(celsius * 10 + _KELVIN_TENTHS)})


def set_regulator(
    guest: Guest, *, input_w: float, output_w: float, input_v: float = 12.0, output_v: float = 3.3
) -> None:
    registers = {
        0x20: _LINEAR16_EXPONENT & 0x1F,
        0x88: linear11(input_v),
        0x89: linear11(input_w / input_v),
        0x8B: round(output_v * 2**-_LINEAR16_EXPONENT),
        0x8C: linear11(output_w / output_v),
        0x8D: linear11(45.0),
        0x96: linear11(output_w),
        0x97: linear11(input_w),
    }
    _write(guest, _REGULATOR, registers)


def set_thermometer(guest: Guest, celsius: float) -> None:
    """It sends its high byte first, against the order of the bus; in steps of half a degree."""
    raw = round(celsius * 2) << 7 & 0xFFFF
    _write(guest, _THERMOMETER, {0x00: (raw & 0xFF) << 8 | raw >> 8})


def linear11(value: float) -> int:
    """PMBus's 5 bits of exponent and 11 of mantissa, both signed, as finely as they can."""
    exponent = next(e for e in range(-16, 16) if abs(round(value / 2.0**e)) < 1024)
    return (exponent & 0x1F) << 11 | round(value / 2.0**exponent) & 0x7FF


def _write(guest: Guest, address: int, registers: Mapping[int, int]) -> None:
    """-f: although a driver has the chip."""
    commands = [
        f"i2cset -f -y {_BUS} {address:#04x} {register:#04x} {value & 0xFFFF:#06x} w"
        for register, value in registers.items()
    ]
    guest.shell(" && ".join(commands))
