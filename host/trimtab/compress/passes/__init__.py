"""One module a technique; see ``base`` for what a pass is."""

from trimtab.compress.passes.base import (
    ArtifactPass,
    ModelContext,
    ModelFile,
    ModelPass,
    Pass,
    PassConfig,
    PassContext,
    PassRejected,
)
from trimtab.compress.passes.registry import load_pass, passes_on_models

__all__ = [
    "ArtifactPass",
    "ModelContext",
    "ModelFile",
    "ModelPass",
    "Pass",
    "PassConfig",
    "PassContext",
    "PassRejected",
    "load_pass",
    "passes_on_models",
]
