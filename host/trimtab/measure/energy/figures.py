"""An arm's figures of energy, power and battery. mJ an inference (of a whole batch), watts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from trimtab.measure.energy.battery import battery_figures
from trimtab.measure.energy.errors import NoEnergy
from trimtab.measure.energy.measured import measured_energy
from trimtab.measure.energy.of_repeat import RepeatEnergy
from trimtab.measure.energy.over_repeats import arithmetic, geometric
from trimtab.measure.energy.power_model import estimated_energy
from trimtab.measure.energy.uncertain import Uncertain
from trimtab.measure.stats import Interval, TooFewSamples, over_repeats
from trimtab.measure.unavailable import unavailable
from trimtab.metrics import METRICS
from trimtab.records import DevicePower, MeasurementSettings, Metric, PowerModel, RawArm

GROSS, NET, POWER, IDLE = "energy_mj", "energy_net_mj", "power_mean_w", "power_idle_w"
_NAMES = (GROSS, NET, POWER, IDLE)
_Centre = Callable[[Sequence[Uncertain]], tuple[float, Interval]]


def energy_figures(
    raw: RawArm, settings: MeasurementSettings, power: DevicePower | None = None
) -> dict[str, Metric]:
    """Measured by the device's sensors; else estimated by the user's power model; else absent."""
    known = power or DevicePower()
    try:
        figures = _measured(measured_energy(raw).repeats)
    except NoEnergy as reason:
        figures = _without_sensor(raw, str(reason), known.model)
    return figures | battery_figures(figures, known.battery_wh, settings)


def _measured(repeats: Sequence[RepeatEnergy]) -> dict[str, Metric]:
    figures = {
        GROSS: _figure(GROSS, geometric, [each.gross for each in repeats]),
        POWER: _figure(POWER, geometric, [each.power_w for each in repeats]),
    }
    net = [each.net for each in repeats if each.net is not None]
    idle = [each.idle.power_w for each in repeats if each.idle is not None]
    if len(net) < len(repeats) or len(idle) < len(repeats):
        reason = next(each.no_idle for each in repeats if each.no_idle)
        return figures | {name: unavailable(name, reason) for name in (NET, IDLE)}
    return figures | {
        NET: _figure(NET, arithmetic, net),
        IDLE: _figure(IDLE, geometric, idle),
    }


def _figure(name: str, centre: _Centre, repeats: Sequence[Uncertain]) -> Metric:
    value, ci95 = centre(repeats)
    return Metric(value, METRICS[name].unit, "measured", ci95)


def _without_sensor(raw: RawArm, otherwise: str, model: PowerModel | None) -> dict[str, Metric]:
    reasons = {name: _reason(raw, name, otherwise) for name in _NAMES}
    if model is None:
        return {name: unavailable(name, reason) for name, reason in reasons.items()}
    try:
        repeats = estimated_energy(raw, model)
    except NoEnergy as missing:
        return {
            name: unavailable(name, f"{reason}; no estimate either: {missing}")
            for name, reason in reasons.items()
        }
    values = {
        GROSS: [each.gross for each in repeats],
        NET: [each.net for each in repeats],
        POWER: [each.power_w for each in repeats],
        IDLE: [model.idle_w] * len(repeats),
    }
    return {name: _estimate(name, values[name], reason) for name, reason in reasons.items()}


def _estimate(name: str, repeats: Sequence[float], reason: str) -> Metric:
    """With why it was not measured, and without an interval: how far the model is off nobody
    knows."""
    found = over_repeats(repeats)
    if isinstance(found, TooFewSamples):
        return unavailable(name, str(found))
    why = f"not measured: {reason}"
    return Metric(found.value, METRICS[name].unit, "estimated", reason=why)


def _reason(raw: RawArm, name: str, otherwise: str) -> str:
    """The device's own for this figure, else for its family, else for the energy."""
    family = name.split("_")[0]
    told = (raw.unavailable.get(each) for each in (name, family, GROSS, "energy"))
    return next(filter(None, told), None) or otherwise
