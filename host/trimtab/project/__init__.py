"""The project file ``trimtab.toml``: frozen settings, with the file and line in every error."""

from trimtab.project.changes import changed, is_of_dispatch, parse_change
from trimtab.project.dispatch_settings import DispatchSettings
from trimtab.project.limits import parse_requirement
from trimtab.project.load import PROJECT_FILE, load_project
from trimtab.project.model import MeasureSettings, PassStep, Project, VariantPlan
from trimtab.project.targets import Target

__all__ = [
    "PROJECT_FILE",
    "DispatchSettings",
    "MeasureSettings",
    "PassStep",
    "Project",
    "Target",
    "VariantPlan",
    "changed",
    "is_of_dispatch",
    "load_project",
    "parse_change",
    "parse_requirement",
]
