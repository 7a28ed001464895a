"""Where a variant comes from, and what the model in it consists of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Role = Literal["task", "model", "weights", "eval", "calibration"]


@dataclass(frozen=True)
class ModelFacts:
    """``macs`` are of one sample; ``sparsity`` is the share of parameters that are zero.

    None: not known; ``unknown`` has the reason under the field's name. ``sparsity_of``: what the
    zeros were counted in. Passes on the file round weights to zero that are none in the model.
    """

    parameters: int | None
    macs: int | None
    sparsity: float | None
    unknown: Mapping[str, str] = field(default_factory=dict)
    sparsity_of: Literal["model", "file"] = "model"


@dataclass(frozen=True)
class SourceFile:
    """``name``: from the origin's folder. ``weights``: external data of an ONNX model.

    ``sha256`` empty: there is no such file, the task was made in code.
    """

    name: str
    sha256: str
    role: Role


@dataclass(frozen=True)
class StepData:
    """``sha256``: of the task's data that the step's result depends on."""

    step: str
    sha256: str


@dataclass(frozen=True)
class Origin:
    """What a variant was made of: with its recipe, all that it takes to make it again.

    ``sources``: the task file or model file, then the files that were given with it; ``folder`` is
    empty in a recording, which names no folders. ``model_fingerprint`` is of the float model; empty
    where the task is a model file. ``opset``: as the project asks for. ``machine``: with the
    number of threads that torch trains with, on which sums depend.
    """

    folder: str
    sources: tuple[SourceFile, ...]
    seed: int
    versions: Mapping[str, str]
    python: str
    machine: str
    data: tuple[StepData, ...] = ()
    model_fingerprint: str = ""
    opset: int | None = None
    facts: ModelFacts | None = None
