"""Quantized models already made, by what they were made from, so that no second build trains."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trimtab.compress.cache import Cache, content_key
from trimtab.compress.passes import ModelContext
from trimtab.compress.pipeline import ModelStep, apply_to_model, check_data
from trimtab.compress.quiet import quiet

if TYPE_CHECKING:
    from torch import nn

    from trimtab.compress.quantized_model import QuantizedModel

Result = tuple["nn.Module", tuple[str, ...]]


def apply_or_fetch(
    steps: Sequence[ModelStep],
    model: nn.Module,
    fingerprint: str,
    context: ModelContext,
    cache: Cache,
) -> Result:
    """As ``apply_to_model``, which see; ``fingerprint`` is of ``model``.

    A model that was just made is read back too: then what follows does not depend on whether it
    was. Results that are not quantized models are made anew each time.
    """
    from trimtab.compress.quantized_model import QuantizedModel

    for each in steps:
        check_data(each, context)
    key = _key(steps, fingerprint, context)
    kept = _fetch(cache, key, context.scratch)
    if kept is not None:
        return kept
    made, lineage = apply_to_model(steps, model, context)
    if not isinstance(made, QuantizedModel):
        return made, lineage
    _keep(cache, key, made, lineage, context.scratch)
    return _fetch(cache, key, context.scratch) or (made, lineage)


def _key(steps: Sequence[ModelStep], fingerprint: str, context: ModelContext) -> str:
    return content_key(
        {
            "model": fingerprint,
            "steps": [each.step.as_data() for each in steps],
            "settings": [each.config.model_dump() for each in steps],
            "data": [each.work.data_key(each.config, context) for each in steps],
            "seed": context.task.seed,
        }
    )


def _fetch(cache: Cache, key: str, scratch: Path) -> Result | None:
    from trimtab.compress.quantized_model import QuantizedModel

    with tempfile.TemporaryDirectory(dir=scratch) as name:
        archive = Path(name) / "model.tar"
        lineage = cache.fetch(key, archive)
        if lineage is None:
            return None
        shutil.unpack_archive(archive, name, filter="data")
        with quiet():
            return QuantizedModel.load(Path(name)), lineage


def _keep(
    cache: Cache, key: str, model: QuantizedModel, lineage: tuple[str, ...], scratch: Path
) -> None:
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        folder = Path(name) / "model"
        folder.mkdir()
        with quiet():
            model.save(folder)
        archive = shutil.make_archive(str(folder), "tar", folder)
        cache.keep(key, Path(archive), lineage)
