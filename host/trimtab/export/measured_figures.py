"""A metric that a device measures, of files; what was measured before is not measured again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trimtab_protos.digest import digest_file

from trimtab.artifact_files import companions
from trimtab.compress.device import TargetDevice
from trimtab.compress.passes import ModelFile, PassRejected

Figure = Callable[[ModelFile], float]
_MOST_TRIES = 3


class NotMeasured(Exception):
    """The text is the device's name and reason."""


class Journal:
    """Figures while a pipeline goes on, so that one that was killed takes the same way again.

    Gone when the pipeline has ended: the next one measures anew.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._figures: dict[str, float] = json.loads(path.read_text())
        except (OSError, ValueError):
            self._figures = {}

    def get(self, key: str) -> float | None:
        return self._figures.get(key)

    def keep(self, key: str, figure: float) -> None:
        self._figures[key] = figure
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(".part")
        temporary.write_text(json.dumps(self._figures))
        temporary.replace(self._path)

    def clear(self) -> None:
        self._path.unlink(missing_ok=True)


@dataclass(frozen=True)
class MeasuredFigure:
    """Raises NotMeasured where the device gives no valid figure, time and again."""

    metric: str
    device: TargetDevice
    journal: Journal

    def __call__(self, model: ModelFile) -> float:
        files = (*model.files, *companions(model.path))
        digests = " ".join(digest_file(path).sha256 for path in files)
        key = f"{self.metric} {self.device.name} {digests}"
        figure = self.journal.get(key)
        if figure is None:
            figure = self._measured(model)
            self.journal.keep(key, figure)
        return figure

    def _measured(self, model: ModelFile) -> float:
        reason = ""
        for _ in range(_MOST_TRIES):
            try:
                return self.device.figure(model.path, model.format, self.metric)
            except PassRejected as error:  # a machine that is busy now may not be so in a while
                reason = str(error)
        raise NotMeasured(f"no {self.metric} on {self.device.name}: {reason}")
