"""Layers of the student that learn from the teacher's, by hooks, during training alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trimtab.compress.passes.base import PassRejected
from trimtab.compress.passes.distillation.layer_names import LayerPair, layer_pairs
from trimtab.compress.passes.distillation.matching import (
    SUITABLE,
    Hint,
    Matching,
    matchings,
    projected_dim,
)
from trimtab.compress.passes.distillation.recording import Recording, recording
from trimtab.compress.passes.distillation.settings import DEFAULT_RELATION_HEADS, DistillConfig

if TYPE_CHECKING:
    from torch import Tensor, nn

_PROJECTION = "_trimtab_projection_{}"


@dataclass(frozen=True)
class _Matched:
    pair: LayerPair
    matching: Matching
    projection: _Projection | None


@dataclass(frozen=True)
class _Projection:
    """To the teacher's width; its parameters are the student's while it trains.

    Parameters and no module: a Sequential would run a module that is added to it.
    """

    student: nn.Module
    name: str
    dim: int

    def __call__(self, features: Tensor) -> Tensor:
        from torch.nn import functional

        weight, bias = (self.student.get_parameter(each) for each in self.parameters)
        return functional.linear(features.movedim(self.dim, -1), weight, bias).movedim(-1, self.dim)

    @property
    def parameters(self) -> tuple[str, str]:
        return f"{self.name}_weight", f"{self.name}_bias"

    def begin(self, inputs: int, outputs: int) -> None:
        from torch import nn

        layer = nn.Linear(inputs, outputs)
        weight, bias = self.parameters
        self.student.register_parameter(weight, nn.Parameter(layer.weight))
        self.student.register_parameter(bias, nn.Parameter(layer.bias))

    def remove(self) -> None:
        for name in self.parameters:
            if name in dict(self.student.named_parameters(recurse=False)):
                delattr(self.student, name)


class Features:
    """The matched layers of two models, which must both have run."""

    def __init__(
        self, teacher: Recording, student: Recording, matched: Sequence[_Matched], weight: float
    ) -> None:
        self._teacher = teacher
        self._student = student
        self._matched = matched
        self._weight = weight

    def distance(self) -> Tensor:
        """The mean over the layers, weighted."""
        terms = [term for each in self._matched for term in self._terms(each)]
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        return self._weight * total / len(terms)

    def _terms(self, each: _Matched) -> Iterator[Tensor]:
        ours = self._student.outputs(each.pair.student)
        theirs = self._teacher.outputs(each.pair.teacher)
        if len(ours) != len(theirs) or not ours:
            raise _refused(each.pair, "it runs another number of times in the student in training")
        for mine, its in zip(ours, theirs, strict=True):
            yield self._term(each, each.matching.tensor(mine), each.matching.tensor(its))

    def _term(self, each: _Matched, ours: Tensor | None, theirs: Tensor | None) -> Tensor:
        if ours is None or theirs is None:
            raise _refused(each.pair, "it gives something else in training than in evaluation")
        if each.projection is not None:
            ours = each.projection(ours)
        return each.matching.distance(ours, theirs)

    @property
    def projected(self) -> int:
        return sum(each.projection is not None for each in self._matched)

    def __len__(self) -> int:
        return len(self._matched)


@contextmanager
def matched_features(
    config: DistillConfig, teacher: nn.Module, student: nn.Module, examples: tuple[Tensor, ...]
) -> Iterator[Features]:
    """Both models must be in eval mode. The student has its projections inside alone."""
    pairs = layer_pairs(config.features, teacher, student)
    begun: list[_Projection] = []
    with (
        recording(teacher, [each.teacher for each in pairs]) as of_teacher,
        recording(student, [each.student for each in pairs]) as of_student,
    ):
        _run((teacher, student), examples)
        try:
            matched = []
            for pair in pairs:
                outputs = of_student.outputs(pair.student), of_teacher.outputs(pair.teacher)
                one = _match(pair, *outputs, config, student, len(begun))
                begun += [one.projection] if one.projection else []
                matched.append(one)
            yield Features(of_teacher, of_student, matched, config.features_weight or 1.0)
        finally:
            for each in begun:
                each.remove()


def _run(models: tuple[nn.Module, ...], examples: tuple[Tensor, ...]) -> None:
    import torch

    with torch.no_grad():
        for each in models:
            each(*examples)


def _match(
    pair: LayerPair,
    ours: list[Any],
    theirs: list[Any],
    config: DistillConfig,
    student: nn.Module,
    number: int,
) -> _Matched:
    if not ours or len(ours) != len(theirs):
        runs = f"it runs {len(theirs)} times in the teacher and {len(ours)} in the student"
        raise _refused(pair, runs)
    match = config.match or "hint"
    for matching in matchings(match, config.relation_heads or DEFAULT_RELATION_HEADS):
        mine, its = matching.tensor(ours[0]), matching.tensor(theirs[0])
        if mine is None or its is None:
            continue
        shapes = tuple(mine.shape), tuple(its.shape)
        problem = matching.problem(*shapes)
        if problem:
            raise _refused(pair, f"shapes {shapes[1]} and {shapes[0]} do not match: {problem}")
        return _Matched(pair, matching, _projection(matching, *shapes, student, number))
    raise _refused(pair, f'match = "{match}" takes {SUITABLE[match]}')


def _projection(
    matching: Matching,
    ours: tuple[int, ...],
    theirs: tuple[int, ...],
    student: nn.Module,
    number: int,
) -> _Projection | None:
    dim = projected_dim(ours, theirs) if isinstance(matching, Hint) else None
    if dim is None or ours[dim] == theirs[dim]:
        return None
    made = _Projection(student, _PROJECTION.format(number), dim)
    made.begin(ours[dim], theirs[dim])
    return made


def _refused(pair: LayerPair, reason: str) -> PassRejected:
    return PassRejected(f"features: layer {pair}: {reason}; leave it out of features")
