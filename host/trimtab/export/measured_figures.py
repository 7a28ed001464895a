"""A metric that a device measures, of files; what was measured before is not measured again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trimtab_protos.digest import digest_file

from trimtab.artifact_files import companions
from trimtab.compress.device import TargetDevice
from trimtab.compress.passes import PassRejected
from trimtab.export.stages import Made
from trimtab.external_data import external_data_locations
from trimtab.whole_files import write_whole

Figure = Callable[[Made], float]
_MOST_TRIES = 3


def files_of(made: Made) -> tuple[Path, ...]:
    path = made.path
    data = (path.parent / name for name in external_data_locations(path))
    return (path, *companions(path), *data)


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
        write_whole(self._path, json.dumps(self._figures).encode())

    def clear(self) -> None:
        self._path.unlink(missing_ok=True)


@dataclass(frozen=True)
class MeasuredFigure:
    """Raises NotMeasured where the device gives no valid figure, time and again."""

    metric: str
    model_format: str
    device: TargetDevice
    journal: Journal

    def __call__(self, made: Made) -> float:
        digests = " ".join(digest_file(path).sha256 for path in files_of(made))
        key = f"{self.metric} {self.device.name} {digests}"
        figure = self.journal.get(key)
        if figure is None:
            figure = self._measured(made)
            self.journal.keep(key, figure)
        return figure

    def _measured(self, made: Made) -> float:
        reason = ""
        for _ in range(_MOST_TRIES):
            try:
                return self.device.figure(made.path, self.model_format, self.metric)
            except PassRejected as error:  # a machine that is busy now may not be so in a while
                reason = str(error)
        raise NotMeasured(f"no {self.metric} on {self.device.name}: {reason}")
