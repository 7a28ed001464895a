"""What was chosen for each layer of a model file, in a JSON file beside it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from trimtab.records import LayerChoice


def write_layers(model: Path, layers: Sequence[LayerChoice]) -> None:
    """None: no file, and none that was there before."""
    if layers:
        _beside(model).write_text(json.dumps([asdict(each) for each in layers]))
    else:
        _beside(model).unlink(missing_ok=True)


def read_layers(model: Path) -> tuple[LayerChoice, ...]:
    """Empty where the file's layers were not chosen one by one."""
    try:
        return layers_from(json.loads(_beside(model).read_text()))
    except FileNotFoundError:
        return ()


def layers_from(documents: Iterable[Mapping[str, Any]]) -> tuple[LayerChoice, ...]:
    """Raises TypeError for what :func:`dataclasses.asdict` did not write."""
    return tuple(LayerChoice(**each) for each in documents)


def _beside(model: Path) -> Path:
    return model.with_name(f"{model.name}.layers.json")
