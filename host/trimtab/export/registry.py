"""Exporters by format, from the entry points ``trimtab.exporters``."""

from __future__ import annotations

from typing import cast

from trimtab.export.base import Exporter, ExportFailed
from trimtab.export.onnx import OnnxExporter
from trimtab.extras import missing_modules
from trimtab.plugins import load_plugin

GROUP = "trimtab.exporters"


def load_exporter(name: str, opset: int | None = None, *, only_to_run: bool = False) -> Exporter:
    """``opset``: of ONNX files; None: the newest that the exporter writes.

    Raises ExportFailed for an unknown format, and where a library is missing.
    """
    try:
        plugin = load_plugin(GROUP, name)
    except KeyError as error:
        raise ExportFailed(f"there is no exporter for {name}") from error
    if plugin.unavailable:
        raise ExportFailed(f"exporter {name} is unavailable: {plugin.unavailable}")
    exporter = cast(Exporter, plugin.loaded())
    if isinstance(exporter, OnnxExporter):
        exporter.opset = opset
    needed = exporter.run_modules if only_to_run else exporter.modules
    missing = missing_modules(*needed)
    if missing:
        raise ExportFailed(
            f"exporter {name} is unavailable: {', '.join(missing)} not installed "
            "(pip install 'trimtab[compress]')"
        )
    return exporter
