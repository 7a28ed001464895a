"""The operators of a model file as a graph, and which of them follow a layer that is kept out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from trimtab.task import Arrays, NamedArrays

Fallback = Literal["float", "int16"]


@dataclass(frozen=True)
class Operator:
    """``key`` finds it in the file, ``name`` is shown. Tensors are those computed, not constants.

    ``weight_bytes``: its float weights; 0 for a layer of two computed tensors (attention).
    """

    key: str
    name: str
    type: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    is_layer: bool
    weight_bytes: int = 0


class LayeredFile(ABC):
    """A float model file of which any set of operators can be quantized."""

    operators: tuple[Operator, ...]

    @property
    def layers(self) -> tuple[Operator, ...]:
        return tuple(each for each in self.operators if each.is_layer)

    @abstractmethod
    def calibrate(self, data: NamedArrays) -> None:
        """Once, for all files that are made later; drops the layers that nothing can quantize."""

    @abstractmethod
    def alone(self, layer: Operator) -> Path:
        """A file in which that layer alone is int8; the next one may replace it."""

    @abstractmethod
    def all_but(self, kept: Collection[Operator], fallback: Fallback) -> Path:
        """A file in which all but the kept operators are int8; the next one may replace it."""

    @abstractmethod
    def outputs(self, path: Path | None, inputs: NamedArrays) -> Arrays:
        """In the real runtime, as real numbers; None: of the float file."""


def without_layers(operators: Iterable[Operator], keys: Collection[str]) -> tuple[Operator, ...]:
    """Those that cannot be quantized at all are no layers to choose among."""
    return tuple(
        replace(each, is_layer=each.is_layer and each.key not in keys) for each in operators
    )


def followers(operators: Iterable[Operator], kept: Collection[str]) -> tuple[Operator, ...]:
    """The operators without weights that stay float because the kept layers (by key) do.

    An int8 tensor between two float layers would undo what keeping them is for. So one with
    several inputs (an addition) follows any neighbour; one with a single input (a pooling, a
    transposition) follows when all its neighbours are kept or follow. Neighbours are found
    through operators of a single input.
    """
    graph = _Graph(operators)
    joins = {
        each.key
        for each in graph.operators
        if not each.is_layer and not _passes_through(each) and graph.neighbours(each) & set(kept)
    }
    outside = joins | set(kept)
    return tuple(
        each
        for each in graph.operators
        if each.key in joins
        or (_passes_through(each) and (near := graph.neighbours(each)) and near <= outside)
    )


def _passes_through(operator: Operator) -> bool:
    return not operator.is_layer and len(operator.reads) == 1


class _Graph:
    def __init__(self, operators: Iterable[Operator]) -> None:
        self.operators = tuple(operators)
        self._writers: dict[str, list[Operator]] = {}
        self._readers: dict[str, list[Operator]] = {}
        for each in self.operators:
            for tensor in each.writes:
                self._writers.setdefault(tensor, []).append(each)
            for tensor in each.reads:
                self._readers.setdefault(tensor, []).append(each)

    def neighbours(self, operator: Operator) -> set[str]:
        return {
            *self._reached(operator.reads, self._writers, upwards=True),
            *self._reached(operator.writes, self._readers, upwards=False),
        }

    def _reached(
        self, tensors: Iterable[str], index: Mapping[str, list[Operator]], upwards: bool
    ) -> Iterator[str]:
        for tensor in tensors:
            for each in index.get(tensor, ()):
                if _passes_through(each):
                    beyond = each.reads if upwards else each.writes
                    yield from self._reached(beyond, index, upwards)
                else:
                    yield each.key
