"""What is measured: model files, the variants they belong to, what they are evaluated on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from trimtab_protos.digest import Digest
from trimtab_protos.errors import Failure

from trimtab.records.origin import Origin


@dataclass(frozen=True)
class ArtifactFile:
    """One file of an artifact; ``name`` is the bare name the model refers to it by."""

    name: str
    path: Path
    digest: Digest


@dataclass(frozen=True)
class Artifact:
    """A model in one format; the model file first, then its external data."""

    format: str
    files: tuple[ArtifactFile, ...]
    download_bytes: int
    """As an update would carry it: zstd-compressed, level 19."""

    @property
    def name(self) -> str:
        return self.files[0].name

    @property
    def sha256(self) -> str:
        return self.files[0].digest.sha256

    @property
    def size_bytes(self) -> int:
        return sum(file.digest.size_bytes for file in self.files)


@dataclass(frozen=True)
class LayerChoice:
    """A layer of a file whose layers differ in precision, and why it has the one it has.

    ``sqnr_db`` and ``changed`` (share of answers; None: the outputs are no scores) compare the
    outputs with the float file's when this layer alone is int8. ``saved_ms``: what int8 saves of
    its time; None: not profiled.
    """

    name: str
    operator: str
    precision: str
    reason: str
    weight_bytes: int
    sqnr_db: float
    changed: float | None = None
    saved_ms: float | None = None


@dataclass(frozen=True)
class Variant:
    """What a recipe made of a task's model, exported to one format.

    ``name`` is unique within (name, format). ``recipe`` holds the passes with all their settings as
    plain data; an empty recipe is the float model. ``lineage`` is what was done, a sentence a step.
    ``failure`` says why there is no artifact (a format that cannot carry the scheme, say).
    ``layers``: where a pass chose each layer's precision. ``origin`` None: it was kept before that
    was written down, or there is no artifact.
    """

    name: str
    format: str
    recipe: tuple[Mapping[str, Any], ...]
    lineage: tuple[str, ...]
    artifact: Artifact | None
    failure: Failure | None = None
    layers: tuple[LayerChoice, ...] = ()
    origin: Origin | None = None

    @property
    def is_float(self) -> bool:
        return not self.recipe


@dataclass(frozen=True)
class CorruptedCopies:
    """Copies of some samples, once a corruption, behind the clean ones in the file.

    ``samples``: the numbers of those that were copied. ``severity``: of the built-in corruptions.
    """

    names: tuple[str, ...]
    samples: npt.NDArray[np.int64]
    severity: int


@dataclass(frozen=True)
class EvaluationSet:
    """``path`` is an .npz of inputs by name, samples on the first axis; ``targets`` stay here.

    ``sample_count`` and ``targets`` are of the clean samples, which come first in the file.
    ``class_names`` empty: classes go by their numbers.
    """

    path: Path
    digest: Digest
    targets: npt.NDArray[Any]
    sample_count: int
    class_names: tuple[str, ...] = ()
    corrupted: CorruptedCopies | None = None

    @property
    def has_targets(self) -> bool:
        """Not so for inputs that were given only to compare outputs."""
        return len(self.targets) == self.sample_count
