"""From models to artifacts: one module a format, each checked through its real runtime."""

from trimtab.export.base import Exporter, ExportFailed, ExportRequest
from trimtab.export.registry import load_exporter
from trimtab.export.variants import build_variants
from trimtab.export.verify import Comparison, Reference

__all__ = [
    "Comparison",
    "ExportFailed",
    "ExportRequest",
    "Exporter",
    "Reference",
    "build_variants",
    "load_exporter",
]
