"""How ONNX Runtime is set for a session."""

from __future__ import annotations

from typing import Any

from trimtab_agent.runtimes.base import RuntimeOptions
from trimtab_agent.runtimes.onnxruntime_placement import TELL_PLACEMENT
from trimtab_agent.runtimes.onnxruntime_providers import ONLY_THERE, PROVIDERS

OPTIMIZATION_LEVELS = {
    "disabled": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}
SEVERITY_ERROR = 3


def session_options(library: Any, options: RuntimeOptions) -> Any:
    settings = library.SessionOptions()
    settings.log_severity_level = SEVERITY_ERROR
    # Not by the file's name: of its own format nothing is known of what it refers to.
    settings.add_session_config_entry("session.load_model_format", "ONNX")
    own_pool = PROVIDERS[options.accelerator].one_thread
    settings.intra_op_num_threads = 1 if own_pool else options.thread_count
    settings.inter_op_num_threads = 1
    if options.options.get(ONLY_THERE) is not None:
        settings.add_session_config_entry(f"session.{ONLY_THERE}", options.options[ONLY_THERE])
    if options.accelerator != "cpu" or options.tell_placement:
        settings.add_session_config_entry(TELL_PLACEMENT, "1")
    spinning = options.options.get("allow_spinning", "0" if own_pool else None)
    if spinning is not None:
        settings.add_session_config_entry("session.intra_op.allow_spinning", spinning)
    level = options.options.get("graph_optimization_level")
    if level is not None:
        settings.graph_optimization_level = getattr(
            library.GraphOptimizationLevel, OPTIMIZATION_LEVELS[level]
        )
    if options.profile_folder is not None:
        settings.enable_profiling = True
        settings.profile_file_prefix = str(options.profile_folder / "onnxruntime")
    return settings
