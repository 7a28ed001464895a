"""Whether two results may be compared: only where their conditions agree; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from trimtab.measure.wording import show_duration
from trimtab.records import Result

TEMPERATURE_BAND_C = 5.0
_CONDITIONS = (
    *("governor", "power_mode", "boost", "power_source", "affinity", "agent_protocol"),
    *("frequency_limits_mhz", "jetson_clocks"),
)
_ABSENT = "not recorded"
_NOT_TOLD = ("unknown", "none: ")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


@dataclass(frozen=True)
class Difference:
    """``first`` and ``second`` as people read them."""

    condition: str
    first: str
    second: str

    def __str__(self) -> str:
        return f"{self.condition}: {self.first} / {self.second}"


def comparability(a: Result, b: Result) -> tuple[Difference, ...]:
    """The conditions in which the two differ; empty: they may be compared.

    A condition that neither device could tell, or that neither has, is no difference; one that a
    single side told is. How often and how long was measured makes none either.
    """
    return (*_settings(a, b), *_conditions(a, b), *_start_temperature(a, b))


def _settings(a: Result, b: Result) -> Iterator[Difference]:
    pairs = {
        "runtime": (a.settings.runtime, b.settings.runtime),
        "runtime version": (_version(a), _version(b)),
        "threads": (str(a.settings.threads), str(b.settings.threads)),
        "accelerator": (_accelerator(a), _accelerator(b)),
        "runtime options": (_options(a), _options(b)),
        "input shapes": (_shapes(a), _shapes(b)),
        "scenario": (_scenario(a), _scenario(b)),
    }
    if a.device.device_id != b.device.device_id:
        yield Difference("device", _device(a), _device(b))
    for condition, (first, second) in pairs.items():
        if first != second:
            yield Difference(condition, first, second)


def _conditions(a: Result, b: Result) -> Iterator[Difference]:
    for name in _CONDITIONS:
        first, second = (each.conditions.get(name, _ABSENT) for each in (a, b))
        if first != second and not (_untold(first) and _untold(second)):
            yield Difference(name.replace("_", " "), first, second)


def _start_temperature(a: Result, b: Result) -> Iterator[Difference]:
    first, second = (each.conditions.get("temperature_c", _ABSENT) for each in (a, b))
    numbers = [_NUMBER.match(text) for text in (first, second)]
    degrees = [float(number.group()) for number in numbers if number is not None]
    apart = len(degrees) == 2 and abs(degrees[0] - degrees[1]) > TEMPERATURE_BAND_C
    if apart or len(degrees) == 1:
        condition = f"start temperature (°C, at most {TEMPERATURE_BAND_C:g} apart)"
        yield Difference(condition, first, second)


def _untold(text: str) -> bool:
    return text == _ABSENT or text.startswith(_NOT_TOLD)


def _device(result: Result) -> str:
    return f"{result.device.name} ({result.device.device_id})"


def _version(result: Result) -> str:
    return f"{result.runtime_package} {result.runtime_version}".strip() or _ABSENT


def _accelerator(result: Result) -> str:
    asked, used = result.settings.accelerator, result.accelerator_used
    return asked if asked == used else f"{asked} asked, {used or _ABSENT} used"


def _options(result: Result) -> str:
    options = sorted(result.settings.runtime_options.items())
    return ", ".join(f"{key}={value}" for key, value in options) or "none"


def _scenario(result: Result) -> str:
    settings = result.settings
    if settings.batch_size is not None:
        return f"batches of {settings.batch_size}"
    if settings.rate_hz is not None:
        return f"{settings.rate_hz:g} inferences a second"
    if settings.sustain_s is not None:
        return f"sustained for {show_duration(settings.sustain_s)}"
    return "back to back"


def _shapes(result: Result) -> str:
    shapes = sorted(result.settings.input_shapes.items())
    return (
        ", ".join(f"{name}={'x'.join(map(str, shape))}" for name, shape in shapes) or "the file's"
    )
