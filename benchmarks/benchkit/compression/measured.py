"""Makes a row's variants, scores them once on the test data, and keeps each figure as it comes."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from trimtab.export import build_variants
from trimtab.project import Target, VariantPlan
from trimtab.records import Variant
from trimtab.task import Task

from benchkit.compression.plans import FLOAT, TRAINED_ON, Row, Way
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
    for name in row.ways:
        rows.once({"row": row.name, "speed": name}, partial(made.speed, name))


class _Made:
    """The files are made when a figure of theirs is first asked for."""

    def __init__(self, row: Row, seed: int, rows: Rows) -> None:
        self._row = row
        self._seed = seed
        self._rows = rows
        self._folder = weights_folder() / "compression" / f"{row.name}-{seed}"

    def measure(self) -> None:
        ways = {FLOAT: None, TRAINED_ON: Way(self._row.trained_on), **self._row.ways}
        for name, way in ways.items():
            self._rows.once(self._key(name), partial(self._figures, name, way))
        for name, figures in self._row.rivals.items():
            self._rows.once(self._key(name), figures)

    def _key(self, name: str) -> dict[str, Any]:
        return {"row": self._row.name, "seed": self._seed, "variant": name}

    def speed(self, name: str) -> dict[str, Any]:
        found = speedup(self._path(FLOAT), self._path(name))
        return {
            "ratio": found.value,
            "low": found.low,
            "high": found.high,
            "problem": found.problem,
        }

    def _figures(self, name: str, way: Way | None) -> dict[str, Any]:
        """Also keeps those of a pipeline's other points."""
        say(f"{self._row.name}, seed {self._seed}: {name}")
        begun = time.monotonic()
        task = self._row.network.task(self._seed)
        *points, last = self._made(task, name, way)
        minutes = (time.monotonic() - begun) / 60
        for point in points:
            if point.artifact is not None:
                key = self._key(f"{name}: {point.name}")
                self._rows.once(key, partial(_scored, point, task, 0.0))
        return _scored(last, task, minutes)

    def _made(self, task: Task, name: str, way: Way | None) -> list[Variant]:
        """Float is made beside every other."""
        plain = VariantPlan(_file_name(TRAINED_ON), (FORMAT,), self._row.trained_on)
        if way is None:
            return self._built(task, plain)[:1]
        plan = VariantPlan(_file_name(name), (FORMAT,), way.passes)
        if way.share is not None:
            size = self._built(task, replace(plan, passes=()))[0].artifact
            if size is None:
                raise SystemExit(f"{self._row.name}: the float model cannot be exported")
            limit = way.share * size.size_bytes / 1e6
            target = Target("size_mb", limit, way.turned, way.max_drop, points=way.points)
            plan = replace(plan, target=target)
        return self._built(task, plan)[1:]

    def _built(self, task: Task, plan: VariantPlan) -> list[Variant]:
        cache = weights_folder() / "compression" / "cache"
        return build_variants(task, [plan], self._folder, say, cache)

    def _path(self, name: str) -> Path:
        return self._folder / f"{_file_name(name)}.{FORMAT}"


def _file_name(name: str) -> str:
    return "".join(each if each.isalnum() or each == "." else "-" for each in name)


def _scored(variant: Variant, task: Task, minutes: float) -> dict[str, Any]:
    if variant.artifact is None:
        reason = variant.failure.message if variant.failure else "nothing was made"
        raise SystemExit(f"{variant.name}: {reason}")
    right = right_answers(variant.artifact.files[0].path, FORMAT, task)
    facts = variant.origin.facts if variant.origin else None
    return {
        "macs": facts.macs if facts else None,
        "sparsity": facts.sparsity if facts else None,
        "bytes": variant.artifact.size_bytes,
        "download_bytes": variant.artifact.download_bytes,
        "right": packed(right),
        "samples": len(right),
        "lineage": list(variant.lineage),
        "minutes": minutes,
    }
