"""The values that pass from stage to stage: artifacts, variants, raw samples, results, decisions.

Plain frozen dataclasses; nothing in here computes or does input and output beyond hashing a file.
"""

from trimtab.records.artifacts import (
    Artifact,
    ArtifactFile,
    CorruptedCopies,
    EvaluationSet,
    LayerChoice,
    Variant,
)
from trimtab.records.decisions import (
    Decision,
    DeviceDecision,
    NotChosen,
    Objective,
    Requirement,
    Run,
)
from trimtab.records.errors import (
    UserError,
)
from trimtab.records.measured import (
    Check,
    Float64Array,
    Int64Array,
    MeasurementSettings,
    Outcome,
    RawArm,
    RawRepeat,
    SensorInfo,
    SensorKind,
    SensorRole,
    SensorSeries,
    TensorInfo,
    Window,
)
from trimtab.records.origin import (
    ModelFacts,
    Origin,
    SourceFile,
    StepData,
)
from trimtab.records.power import (
    DevicePower,
    PowerModel,
)
from trimtab.records.results import (
    DeviceRef,
    Metric,
    Provenance,
    Result,
)
from trimtab.records.robustness import (
    ClassAccuracy,
    CorruptedAccuracy,
    Robustness,
)
from trimtab.records.support import (
    Support,
    SupportOutcome,
)

__all__ = [
    "Artifact",
    "ArtifactFile",
    "Check",
    "ClassAccuracy",
    "CorruptedAccuracy",
    "CorruptedCopies",
    "Decision",
    "DeviceDecision",
    "DevicePower",
    "DeviceRef",
    "EvaluationSet",
    "Float64Array",
    "Int64Array",
    "LayerChoice",
    "MeasurementSettings",
    "Metric",
    "ModelFacts",
    "NotChosen",
    "Objective",
    "Origin",
    "Outcome",
    "PowerModel",
    "Provenance",
    "RawArm",
    "RawRepeat",
    "Requirement",
    "Result",
    "Robustness",
    "Run",
    "SensorInfo",
    "SensorKind",
    "SensorRole",
    "SensorSeries",
    "SourceFile",
    "StepData",
    "Support",
    "SupportOutcome",
    "TensorInfo",
    "UserError",
    "Variant",
    "Window",
]
