"""A model made simpler, and what that did in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import nn

from trimtab.compress.passes.base import ModelContext, PassRejected
from trimtab.compress.passes.factorization.observation import observe, run, total_macs
from trimtab.compress.passes.factorization.replacing import fuse_back_where_dearer
from trimtab.compress.passes.factorization.sites import matching, some
from trimtab.compress.passes.quantization.calibration import calibration_data
from trimtab.compress.passes.simplification.agreement import Reference, runs
from trimtab.compress.passes.simplification.batch_norm import fold_batch_norm
from trimtab.compress.passes.simplification.blocks import drop, droppable
from trimtab.compress.passes.simplification.tidying import (
    merge_linear,
    without_dropout,
    without_identities,
)

if TYPE_CHECKING:
    from trimtab.compress.passes.simplification.simplify import SimplifyConfig


def simplified(model: nn.Module, config: SimplifyConfig, context: ModelContext) -> str:
    """Changes ``model``, which is in eval mode. Raises PassRejected."""
    before = _size(model, context)
    keep = matching([name for name, _ in model.named_modules()], config.keep, "keep")
    told = _tidied(model, config, keep, context)
    if config.drops:
        told.append(_shortened(model, config, keep, context))
    if not told:
        return "simplified nothing: every layer has an effect of its own"
    return f"simplified: {'; '.join(told)}; {before} -> {_size(model, context)}"


def _tidied(
    model: nn.Module, config: SimplifyConfig, keep: set[str], context: ModelContext
) -> list[str]:
    """What changes no output. Raises PassRejected where one changed."""
    reference = Reference(model, context.task)
    dropouts = without_dropout(model, keep) if config.dropout else []
    folded, left = fold_batch_norm(model, keep, reference) if config.batch_norm else ([], [])
    gone = {*dropouts, *folded}
    identities = [name for name in without_identities(model, keep) if name not in gone]
    merged = merge_linear(model, keep) if config.merge_linear else []
    told = [
        *_named("taken out as dropout", dropouts),
        *_named("batch norm folded", folded),
        *_named("batch norm left, since the layer before it is read elsewhere too", left),
        *_named("taken out without effect", identities),
        *_named("linear layers merged", merged),
    ]
    if told:
        _check_same(model, reference, [*dropouts, *identities, *merged])
    if config.merge_linear:
        fused = fuse_back_where_dearer(model, context.task.example_inputs, keep)
        told += _named("factorized layers fused back", fused)
        _check_same(model, reference, fused)
    return told


def _named(what: str, names: Sequence[str]) -> list[str]:
    return [f"{what}: {some(names)}"] if names else []


def _check_same(model: nn.Module, reference: Reference, names: Sequence[str]) -> None:
    if not runs(lambda: reference.agrees(model), some(names)):
        raise PassRejected(
            f"without {some(names)} the model computes something else: its forward takes layers by "
            "number; name them in keep"
        )


def _shortened(
    model: nn.Module, config: SimplifyConfig, keep: set[str], context: ModelContext
) -> str:
    data = calibration_data(context.task, config.calibration_samples, "task")
    samples = tuple(data.samples.values())
    names = {id(each): name for name, each in model.named_modules()}
    kept = {id(model.get_submodule(name)) for name in keep if name in names.values()}
    found = droppable(model, samples, keep)
    count = config.drop_blocks or int(config.drop_share * len(found) + 1e-9)
    _check(count, found)
    dropped: list[str] = []
    for _ in range(count):
        now = {name for name, each in model.named_modules() if id(each) in kept}
        left = droppable(model, samples, now)
        if not left:
            raise PassRejected(
                f"drop_blocks = {count}, and {len(dropped)} can be taken out: a list of blocks "
                f"keeps one; set drop_blocks = {len(dropped)}"
            )
        least = max(left, key=lambda name: left[name])
        original = names[id(model.get_submodule(least))]
        drop(model, least)
        runs(lambda: run(model, context.task.example_inputs), original)
        dropped.append(f"{original}, similarity {left[least]:.3f}")
        context.progress(f"simplify: block {original} taken out")
    if not dropped:
        return (
            f"no block taken out: drop_share {config.drop_share:g} of {len(found)} is less than 1"
        )
    return (
        f"{count} of {len(found)} residual blocks taken out ({'; '.join(dropped)}: cosine of input "
        f"and output on {data.origin})"
    )


def _check(count: int, found: dict[str, float]) -> None:
    if not found:
        raise PassRejected(
            "simplify finds no block that can be taken out: a residual block in an nn.Sequential "
            "or nn.ModuleList whose output has its input's shape; leave drop_blocks out"
        )
    if count > len(found):
        raise PassRejected(
            f"drop_blocks = {count}, and {len(found)} blocks can be taken out "
            f"({some(list(found))}); ask for fewer"
        )


def _size(model: nn.Module, context: ModelContext) -> str:
    parameters = sum(each.numel() for each in model.parameters())
    macs = total_macs(observe(model, context.task.example_inputs))
    return f"{parameters:,} parameters and {macs:,} MACs"
