"""Which layer of the student learns from which of the teacher's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from trimtab.compress.passes.base import PassRejected

if TYPE_CHECKING:
    from torch import nn

_PATTERN_CHARACTERS = frozenset("*?[")


@dataclass(frozen=True)
class LayerPair:
    teacher: str
    student: str

    def __str__(self) -> str:
        return self.teacher if self.teacher == self.student else f"{self.teacher}:{self.student}"


def layer_pairs(
    wanted: Sequence[str], teacher: nn.Module, student: nn.Module
) -> tuple[LayerPair, ...]:
    """A pattern stands for the names that both have; those of a pair are taken in their order.

    Raises PassRejected.
    """
    theirs, ours = layer_names(teacher), layer_names(student)
    found: dict[LayerPair, None] = {}
    for each in wanted:
        for pair in _pairs(each, theirs, ours):
            found[pair] = None
    return tuple(found)


def layer_names(model: nn.Module) -> list[str]:
    """Every name of layers that have several."""
    return [name for name, _ in model.named_modules(remove_duplicate=False) if name]


def _pairs(wanted: str, theirs: list[str], ours: list[str]) -> list[LayerPair]:
    if ":" not in wanted:
        common = [name for name in theirs if name in set(ours)]
        if wanted in theirs and wanted not in common:
            raise _unknown(wanted, ours, "the student")
        return [LayerPair(name, name) for name in _named(wanted, common, "the model")]
    left, _, right = wanted.partition(":")
    teachers, students = _named(left, theirs, "the teacher"), _named(right, ours, "the student")
    if len(teachers) != len(students):
        raise PassRejected(
            f"features: {wanted} names {len(teachers)} layers of the teacher and {len(students)} "
            "of the student; give patterns that name as many"
        )
    return [LayerPair(*both) for both in zip(teachers, students, strict=True)]


def _named(wanted: str, names: list[str], owner: str) -> list[str]:
    if wanted in names:
        return [wanted]
    matching = [name for name in names if fnmatchcase(name, wanted)]
    if not matching or not _PATTERN_CHARACTERS & set(wanted):
        raise _unknown(wanted, names, owner)
    return matching


def _unknown(wanted: str, names: list[str], owner: str) -> PassRejected:
    near = get_close_matches(wanted, names, n=3, cutoff=0.4) or names[:3]
    return PassRejected(f"features: {owner} has no layer {wanted}; near it: {', '.join(near)}")
