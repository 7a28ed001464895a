"""How often an energy's 95 % uncertainty holds the exact energy, on simulated loads and sensors.

    TRIMTAB_COVERAGE_RUNS=4000 python benchmarks/energy_coverage.py

prints the tables of docs/energy.md (1000 trials a row where the variable is not set). Each trial
draws the load's phase, period, share and level, the sensor's phase, and every reading's moment.
Exit status 1: a row of the first table is below the 95 % asked for by more than its own noise.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from trimtab.measure.energy.integrate import WindowEnergy, integrate
from trimtab.measure.energy.of_repeat import repeat_energy
from trimtab.measure.energy.over_repeats import arithmetic, geometric
from trimtab.records import RawRepeat, SensorInfo, SensorKind, SensorSeries, Window

Array = npt.NDArray[np.float64]
RUNS = int(os.environ.get("TRIMTAB_COVERAGE_RUNS", "1000"))
ASKED = 0.95
SPREAD = 0.01  # standard deviation of the logarithms of the repeats' loads
IDLE_MW = 1500.0
INFERENCES = 100
_IDLE_S, _WARM_UP_S = 1.5, 0.7
_NS_PER_S = 1e9


@dataclass(frozen=True)
class Load:
    """What busy cores add to the idle power. ``energy``: its exact integral from 0 on, in mJ."""

    power: Callable[[Array], Array]
    energy: Callable[[Array], Array]


Draw = Callable[[np.random.Generator, float], Load]
"""From a generator and the seconds measured; time 0 is the begin of warm-up."""


@dataclass(frozen=True)
class Sensor:
    """``period_s`` 0: it follows the power at once. ``reading_s``: a stratum of the reader.

    ``noise``: standard deviation of each value, mW. ``counter_range`` in mJ.
    """

    name: str
    kind: SensorKind
    period_s: float = 0.0
    reading_s: float = 0.020
    step: float = 0.0
    noise: float = 0.0
    counter_range: float = 0.0

    @property
    def info(self) -> SensorInfo:
        unit = "mJ" if self.kind == "counter" else "mW"
        period_ns = round(self.period_s * _NS_PER_S)
        return SensorInfo(
            self.name, unit, "all", "", self.kind, "total", period_ns, self.counter_range
        )


@dataclass(frozen=True)
class Trial:
    """``windows``: idle, measure, idle; ``exact_mj`` and ``exact_net_mj``: of the second."""

    series: SensorSeries
    windows: tuple[Window, Window, Window]
    exact_mj: float
    exact_net_mj: float


def constant(generator: np.random.Generator, _duration_s: float) -> Load:
    level = generator.uniform(500, 8000)
    return Load(lambda t: np.full_like(t, level), lambda t: level * t)


def ramp(generator: np.random.Generator, duration_s: float) -> Load:
    """Such as the leakage of a device that heats up."""
    level, slope = generator.uniform(1000, 6000), generator.uniform(-900, 3000) / duration_s
    return Load(lambda t: level + slope * t, lambda t: level * t + slope * t**2 / 2)


def square(shortest_s: float, longest_s: float, least: float = 0.1, most: float = 0.9) -> Draw:
    """Busy for a share of each period, as at a rate; the period's logarithm is uniform."""

    def draw(generator: np.random.Generator, _duration_s: float) -> Load:
        period = math.exp(generator.uniform(math.log(shortest_s), math.log(longest_s)))
        share = generator.uniform(least, most)
        phase, level = generator.uniform(0, period), generator.uniform(500, 8000)

        def power(t: Array) -> Array:
            return np.asarray(level * ((t + phase) % period < share * period))

        def integral(t: Array) -> Array:
            whole, part = np.divmod(t + phase, period)
            return np.asarray(level * (whole * share * period + np.minimum(part, share * period)))

        return Load(power, lambda t: integral(t) - integral(np.zeros(1)))

    return draw


def switching(shortest_s: float, longest_s: float) -> Draw:
    """Levels without a pattern, each held for an exponential time."""

    def draw(generator: np.random.Generator, duration_s: float) -> Load:
        mean_s = math.exp(generator.uniform(math.log(shortest_s), math.log(longest_s)))
        count = int(3 * (duration_s + 2) / mean_s) + 20
        edges = np.concatenate(([0.0], np.cumsum(generator.exponential(mean_s, count))))
        levels = generator.uniform(500, 8000, count + 1)
        total = np.concatenate(([0.0], np.cumsum(levels[:-1] * np.diff(edges))))

        def place(t: Array) -> npt.NDArray[np.intp]:
            return np.clip(np.searchsorted(edges, t, side="right") - 1, 0, count)

        return Load(
            lambda t: levels[place(t)],
            lambda t: total[place(t)] + levels[place(t)] * (t - edges[place(t)]),
        )

    return draw


def on_and_off(load: Load, begin_s: float, end_s: float) -> Load:
    """The device: idle, and the load on top from warm-up's begin to the measurement's end."""

    def power(t: Array) -> Array:
        on = (t >= begin_s) & (t < end_s)
        busy = load.power(np.maximum(t - begin_s, 0.0))
        return np.asarray(IDLE_MW + np.where(on, busy, 0.0))

    def energy(t: Array) -> Array:
        return np.asarray(IDLE_MW * t + load.energy(np.clip(t, begin_s, end_s) - begin_s))

    return Load(power, energy)


def simulate(sensor: Sensor, draw: Draw, duration_s: float, seed: int) -> Trial:
    generator = np.random.default_rng(seed)
    return observe(sensor, draw(generator, duration_s + _WARM_UP_S), duration_s, generator)


def observe(sensor: Sensor, load: Load, duration_s: float, generator: np.random.Generator) -> Trial:
    """Idle, warm-up, a window to measure, idle."""
    idle_s = max(_IDLE_S, 20 * sensor.period_s)
    begin = idle_s + _WARM_UP_S
    end = begin + duration_s
    device = on_and_off(load, idle_s, end)
    strata = np.arange(math.ceil((end + idle_s) / sensor.reading_s))
    times = (strata + generator.random(len(strata))) * sensor.reading_s
    values = _told(sensor, device, times, generator)
    marks = [round(at * _NS_PER_S) for at in (0.0, idle_s, begin, end, end + idle_s)]
    windows = (
        Window("idle", marks[0], marks[1]),
        Window("measure", marks[2], marks[3], INFERENCES),
        Window("idle", marks[3], marks[4]),
    )
    exact = float(np.diff(device.energy(np.array([begin, end])))[0])
    offsets = np.rint(times * _NS_PER_S).astype(np.int64)
    return Trial(SensorSeries(offsets, values), windows, exact, exact - IDLE_MW * duration_s)


def _told(sensor: Sensor, device: Load, times: Array, generator: np.random.Generator) -> Array:
    """What the reader finds: the value of the last update."""
    period = sensor.period_s
    if period == 0:
        updated, place = times, np.arange(len(times))
    else:
        phase = generator.uniform(0, period)
        updated = np.arange(-2, math.ceil(times[-1] / period) + 1) * period + phase
        place = np.searchsorted(updated, times, side="right") - 1
    if sensor.kind == "counter":
        values = device.energy(updated) + 12345.678
    elif sensor.kind == "averaged":
        values = (device.energy(updated) - device.energy(updated - period)) / period
    else:
        values = device.power(updated)
    values = values + sensor.noise * generator.standard_normal(len(values))
    if sensor.step:
        round_to = np.floor if sensor.kind == "counter" else np.rint
        values = round_to(values / sensor.step) * sensor.step
    if sensor.counter_range:
        values = values % sensor.counter_range
    return np.asarray(values[place])


def measured(sensor: Sensor, trial: Trial) -> WindowEnergy:
    return integrate(sensor.info, trial.series, trial.windows[1])


@dataclass(frozen=True)
class Coverage:
    """``covered``: the share of trials whose 95 % uncertainty holds the exact energy. The others
    are shares of that energy: 95 % of the errors are smaller, and the usual half-width."""

    covered: float
    error_95: float
    half_width: float


def coverage(sensor: Sensor, draw: Draw, duration_s: float, runs: int, seed: int) -> Coverage:
    errors, widths = np.empty(runs), np.empty(runs)
    for run in range(runs):
        trial = simulate(sensor, draw, duration_s, seed * 1_000_003 + run)
        found = measured(sensor, trial).energy
        errors[run] = abs(found.value - trial.exact_mj) / trial.exact_mj
        widths[run] = found.half_width / trial.exact_mj
    return Coverage(
        float((errors <= widths + 1e-9).mean()),
        float(np.quantile(errors, 0.95)),
        float(np.median(widths)),
    )


FAST = Sensor("instantaneous, follows at once", "instantaneous", noise=20.0, step=5.0)
SLOW = Sensor("instantaneous, every 100 ms", "instantaneous", 0.1, noise=20.0, step=5.0)
AVERAGED = Sensor("averaged over 100 ms", "averaged", 0.1, noise=5.0, step=5.0)
QUICK_AVERAGE = Sensor("averaged over 7 ms, missed in part", "averaged", 0.007, 0.02, 5.0, 20.0)
COUNTER = Sensor("counter, every 1 ms", "counter", 0.001, step=0.061)
SLOW_COUNTER = Sensor("counter, every 100 ms, wraps", "counter", 0.1, 0.02, 1.0, 0.0, 9000.0)
SENSORS = (FAST, SLOW, AVERAGED, QUICK_AVERAGE, COUNTER, SLOW_COUNTER)
CONSTANT, RAMP, SLOW_SQUARE, SWITCHING = "constant", "ramp", "square, 0.5 to 5 s", "switching"
FAST_SQUARE, SQUARE, SPIKES = "square, 1 to 20 ms", "square, 20 to 500 ms", "spikes, 5 to 100 ms"
LOADS: dict[str, Draw] = {
    CONSTANT: constant,
    RAMP: ramp,
    FAST_SQUARE: square(0.001, 0.02),
    SQUARE: square(0.02, 0.5),
    SLOW_SQUARE: square(0.5, 5.0),
    SPIKES: square(0.005, 0.1, 0.02, 0.1),
    SWITCHING: switching(0.005, 0.5),
}
ALIASED = "square, 100 ms exactly"
_FIXED_PHASE = (FAST_SQUARE, SQUARE, SPIKES)  # not for a sensor that samples at a fixed period
CASES = [
    (sensor, load, 10.0)
    for sensor in SENSORS
    for load in LOADS
    if not (sensor is SLOW and load in _FIXED_PHASE)
]
LIMITS = [
    *((FAST, load, count * 0.02) for load in (FAST_SQUARE, SPIKES) for count in (10, 20, 50, 100)),
    *((SLOW, load, count * 0.1) for load in _FIXED_PHASE for count in (20, 100)),
    *((sensor, ALIASED, 10.0) for sensor in (FAST, SLOW, AVERAGED, COUNTER)),
    *((sensor, SWITCHING, 2.0) for sensor in SENSORS),
]


def draw_of(load: str) -> Draw:
    return square(0.1, 0.1) if load == ALIASED else LOADS[load]


def over_repeats(
    sensor: Sensor, load: str, repeats: int, runs: int, seed: int
) -> tuple[float, float]:
    """How often the interval over repeats of which each has its own speed holds the energy of the
    middle one, gross and net."""
    held = np.zeros(2)
    for run in range(runs):
        generator = np.random.default_rng((seed, run))
        base = draw_of(load)(generator, 10.0 + _WARM_UP_S)
        middle = observe(sensor, base, 10.0, generator)
        found = []
        for index in range(repeats):
            scaled = _scaled(base, math.exp(SPREAD * generator.standard_normal()))
            trial = observe(sensor, scaled, 10.0, generator)
            nothing = np.zeros(0, dtype=np.int64)
            told = {sensor.name: trial.series}
            repeat = RawRepeat(index, nothing, nothing, 1, 1, None, told, trial.windows)
            found.append(repeat_energy(repeat, [sensor.info]))
        net = [each.net for each in found if each.net is not None]
        _, gross_interval = geometric([each.gross for each in found])
        _, net_interval = arithmetic(net)
        truths = (middle.exact_mj / INFERENCES, middle.exact_net_mj / INFERENCES)
        for place, (low, high) in enumerate((gross_interval, net_interval)):
            held[place] += low <= truths[place] <= high
    return float(held[0] / runs), float(held[1] / runs)


def _scaled(load: Load, factor: float) -> Load:
    return Load(lambda t: factor * load.power(t), lambda t: factor * load.energy(t))


def _print_table(cases: list[tuple[Sensor, str, float]]) -> bool:
    """True: every row covers what is asked for, but for the noise of so many trials."""
    print("| sensor | load | seconds | covered | 95 % of errors below | half-width |")
    print("|---|---|--:|--:|--:|--:|")
    lowest = ASKED - 3 * math.sqrt(ASKED * (1 - ASKED) / RUNS)
    met = True
    for seed, (sensor, load, duration_s) in enumerate(cases):
        found = coverage(sensor, draw_of(load), duration_s, RUNS, seed)
        shares = (found.covered, found.error_95, found.half_width)
        texts = (f"{100 * shares[0]:.1f} %", *(f"{100 * each:.2f} %" for each in shares[1:]))
        print(f"| {sensor.name} | {load} | {duration_s:g} | {' | '.join(texts)} |", flush=True)
        met = met and found.covered >= lowest
    return met


def _print_repeats() -> None:
    print("| sensor | load | repeats | energy_mj | energy_net_mj |")
    print("|---|---|--:|--:|--:|")
    for sensor in (FAST, AVERAGED, COUNTER):
        for load in (CONSTANT, SQUARE):
            for repeats in (1, 3, 5):
                gross, net = over_repeats(sensor, load, repeats, max(RUNS // 4, 1), repeats)
                shares = f"{100 * gross:.1f} % | {100 * net:.1f} %"
                print(f"| {sensor.name} | {load} | {repeats} | {shares} |", flush=True)


def main() -> int:
    met = _print_table(CASES)
    print()
    _print_table(LIMITS)
    print()
    _print_repeats()
    if not met:
        print(f"below the {ASKED:.0%} asked for", file=sys.stderr)
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
