"""One module a technique; see ``base`` for what a pass is."""

from trimtab.compress.passes.base import (
    ArtifactPass,
    ModelFile,
    ModelPass,
    Pass,
    PassConfig,
    PassContext,
    PassRejected,
)
from trimtab.compress.passes.registry import load_pass

__all__ = [
    "ArtifactPass",
    "ModelFile",
    "ModelPass",
    "Pass",
    "PassConfig",
    "PassContext",
    "PassRejected",
    "load_pass",
]
