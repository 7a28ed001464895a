"""Makes a row's variants, scores them once on the test data, and keeps each figure as it comes."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from trimtab.export import build_variants
from trimtab.project import PassStep, VariantPlan
from trimtab.records import Variant
from trimtab.task import Task

from benchkit.compression.plans import FLOAT, TRAINED_ON, Row
from benchkit.compression.scores import packed, right_answers
from benchkit.compression.speeds import speedup
from benchkit.rows import Rows
from benchkit.tables import say
from benchkit.tasks import weights_folder

FORMAT = "onnx"


def measure_row(row: Row, rows: Rows) -> None:
    for seed in row.seeds:
        _Made(row, seed, rows).measure()


def measure_speeds(row: Row, rows: Rows) -> None:
    """Of the first seed's files: their shapes do not depend on it."""
    made = _Made(row, row.seeds[0], rows)
    for name in row.recipes:
        rows.once({"row": row.name, "speed": name}, partial(made.speed, name))


class _Made:
    """The files are made when a figure of theirs is first asked for."""

    def __init__(self, row: Row, seed: int, rows: Rows) -> None:
        self._row = row
        self._seed = seed
        self._rows = rows
        self._folder = weights_folder() / "compression" / f"{row.name}-{seed}"

    def measure(self) -> None:
        recipes = {FLOAT: (), TRAINED_ON: self._row.trained_on, **self._row.recipes}
        for name, recipe in recipes.items():
            key = {"row": self._row.name, "seed": self._seed, "variant": name}
            self._rows.once(key, partial(self._figures, name, recipe))

    def speed(self, name: str) -> dict[str, Any]:
        found = speedup(self._path(FLOAT), self._path(name))
        return {
            "ratio": found.value,
            "low": found.low,
            "high": found.high,
            "problem": found.problem,
        }

    def _figures(self, name: str, recipe: tuple[PassStep, ...]) -> dict[str, Any]:
        say(f"{self._row.name}, seed {self._seed}: {name}")
        begun = time.monotonic()
        task = self._row.network.task(self._seed)
        variant = self._variant(task, name, recipe)
        if variant.artifact is None:
            reason = variant.failure.message if variant.failure else "nothing was made"
            raise SystemExit(f"{self._row.name}: {name}: {reason}")
        path = variant.artifact.files[0].path
        right = right_answers(path, FORMAT, task)
        return {
            "bytes": variant.artifact.size_bytes,
            "download_bytes": variant.artifact.download_bytes,
            "right": packed(right),
            "samples": len(right),
            "lineage": list(variant.lineage),
            "minutes": (time.monotonic() - begun) / 60,
        }

    def _variant(self, task: Task, name: str, recipe: tuple[PassStep, ...]) -> Variant:
        """Float is made beside every other."""
        plan = VariantPlan(_file_name(name if recipe else TRAINED_ON), (FORMAT,), recipe)
        if not recipe:
            plan = replace(plan, passes=self._row.trained_on)
        cache = weights_folder() / "compression" / "cache"
        unchanged, made = build_variants(task, [plan], self._folder, say, cache)
        return made if recipe else unchanged

    def _path(self, name: str) -> Path:
        return self._folder / f"{_file_name(name)}.{FORMAT}"


def _file_name(name: str) -> str:
    return "".join(each if each.isalnum() or each == "." else "-" for each in name)
