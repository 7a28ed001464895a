"""What an energy means for a battery; pure. The charge is the one that the user states."""

from __future__ import annotations

from collections.abc import Mapping

from trimtab.measure.stats import Interval
from trimtab.measure.unavailable import unavailable
from trimtab.metrics import METRICS
from trimtab.records import MeasurementSettings, Metric, Provenance

HOURS, SHARE = "battery_hours", "battery_share_per_1k"
NO_BATTERY = "the device's battery_wh is not given"
BACK_TO_BACK = (
    "measured back to back, as no battery is used for hours: ask for --rate, or for --sustain"
)
_J_PER_WH = 3600.0


def battery_figures(
    figures: Mapping[str, Metric], battery_wh: float | None, settings: MeasurementSettings
) -> dict[str, Metric]:
    """``figures``: energy_mj and power_mean_w."""
    if battery_wh is None:
        return {name: unavailable(name, NO_BATTERY) for name in (HOURS, SHARE)}
    return {
        HOURS: _hours(figures["power_mean_w"], battery_wh, settings),
        SHARE: _share(figures["energy_mj"], battery_wh),
    }


def _hours(power: Metric, battery_wh: float, settings: MeasurementSettings) -> Metric:
    """At the power that was measured, which is a device's in use only at a rate or under a load
    that was kept up until the device was warm."""
    if settings.rate_hz is None and settings.sustain_s is None:
        return unavailable(HOURS, BACK_TO_BACK)
    if power.value is None:
        return unavailable(HOURS, power.reason or "the power is not known")
    ci95 = None
    if power.ci95 is not None and power.ci95[0] > 0:
        ci95 = (battery_wh / power.ci95[1], battery_wh / power.ci95[0])
    return _figure(HOURS, battery_wh / power.value, ci95, power)


def _share(energy: Metric, battery_wh: float) -> Metric:
    """1000 inferences of x mJ take x J."""
    if energy.value is None:
        return unavailable(SHARE, energy.reason or "the energy is not known")
    joules = battery_wh * _J_PER_WH
    ci95 = (energy.ci95[0] / joules, energy.ci95[1] / joules) if energy.ci95 else None
    return _figure(SHARE, energy.value / joules, ci95, energy)


def _figure(name: str, value: float, ci95: Interval | None, source: Metric) -> Metric:
    provenance: Provenance = "estimated" if source.provenance == "estimated" else "derived"
    return Metric(value, METRICS[name].unit, provenance, ci95)
