"""From what sensors of power and energy told to an inference's energy. See docs/energy.md."""

from trimtab.measure.energy.checks import energy_checks
from trimtab.measure.energy.errors import NoEnergy
from trimtab.measure.energy.figures import energy_figures
from trimtab.measure.energy.measured import MeasuredEnergy, measured_energy
from trimtab.measure.energy.rails import Rail, rails

__all__ = [
    "MeasuredEnergy",
    "NoEnergy",
    "Rail",
    "energy_checks",
    "energy_figures",
    "measured_energy",
    "rails",
]
