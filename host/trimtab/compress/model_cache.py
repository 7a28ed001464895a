"""Models already made, by what they were made from, so that no second build trains again."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from trimtab.compress.cache import Cache, content_key
from trimtab.compress.checkpoints import Checkpoints
from trimtab.compress.passes import ModelContext
from trimtab.compress.pipeline import ModelStep, apply_step, check_data
from trimtab.compress.quiet import quiet

if TYPE_CHECKING:
    from torch import nn

Result = tuple["nn.Module", tuple[str, ...]]
_MODULE = "module.pt"


def apply_or_fetch(
    steps: Sequence[ModelStep],
    model: nn.Module,
    fingerprint: str,
    context: ModelContext,
    cache: Cache,
) -> Result:
    """As ``apply_to_model``, which see; ``fingerprint`` is of ``model``.

    Each step's model is kept: recipes that begin alike share what they have in common, and a build
    that was broken off goes on where it was. A model that was just made is read back too: then what
    follows does not depend on whether it was. One that cannot be pickled is made anew each time.
    """
    for each in steps:
        check_data(each, context)
    keys = _keys(steps, fingerprint, context)
    (model, lineage), done = _furthest(keys, cache, context.scratch) or ((model, ()), 0)
    for each, key in zip(steps[done:], keys[done:], strict=True):
        checkpoints = Checkpoints(cache.folder / "checkpoints" / key)
        made, sentence = apply_step(each, model, replace(context, checkpoints=checkpoints))
        lineage = (*lineage, sentence)
        _keep(cache, key, made, lineage, context.scratch)
        checkpoints.clear()
        model, lineage = _fetch(cache, key, context.scratch) or (made, lineage)
    return model, lineage


def _furthest(keys: Sequence[str], cache: Cache, scratch: Path) -> tuple[Result, int] | None:
    for done in range(len(keys), 0, -1):
        kept = _fetch(cache, keys[done - 1], scratch)
        if kept is not None:
            return kept, done
    return None


def _keys(steps: Sequence[ModelStep], fingerprint: str, context: ModelContext) -> list[str]:
    """One a step, each of everything up to it."""
    keys: list[str] = []
    for each in steps:
        parts = {
            "model": keys[-1] if keys else fingerprint,
            "step": each.step.as_data(),
            "settings": each.config.model_dump(mode="json"),
            "data": each.work.data_key(each.config, context),
            "seed": context.task.seed,
            **_device(each, context),
        }
        keys.append(content_key(parts))
    return keys


def _device(each: ModelStep, context: ModelContext) -> dict[str, str]:
    """Measured on another device a model comes out otherwise. Raises PassRejected."""
    selector = each.work.measures_on(each.config)
    if selector is None or context.devices is None:
        return {}
    return {"device": context.devices(selector).name}


def _fetch(cache: Cache, key: str, scratch: Path) -> Result | None:
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        archive = Path(name) / "model.tar"
        lineage = cache.fetch(key, archive)
        if lineage is None:
            return None
        shutil.unpack_archive(archive, name, filter="data")
        with quiet():
            return _load(Path(name)), lineage


def _keep(
    cache: Cache, key: str, model: nn.Module, lineage: tuple[str, ...], scratch: Path
) -> None:
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        folder = Path(name) / "model"
        folder.mkdir()
        with quiet():
            if not _save(model, folder):
                return
        archive = shutil.make_archive(str(folder), "tar", folder)
        cache.keep(key, Path(archive), lineage)


def _save(model: nn.Module, folder: Path) -> bool:
    """Whether it could be."""
    import torch

    from trimtab.compress.quantized_model import QuantizedModel

    if isinstance(model, QuantizedModel):
        model.save(folder)
        return True
    try:
        torch.save(model, folder / _MODULE)
    except Exception:  # classes inside functions, lambdas: pickle raises its own kinds for each
        return False
    return True


def _load(folder: Path) -> nn.Module:
    import torch

    from trimtab.compress.quantized_model import QuantizedModel

    if (folder / _MODULE).exists():
        # The classes are those of the task file, which runs in this process already.
        model: nn.Module = torch.load(folder / _MODULE, weights_only=False)
        return model
    return QuantizedModel.load(folder)
