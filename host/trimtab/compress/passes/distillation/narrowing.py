"""The same architecture with fewer channels, by torch-pruning's dependency graph."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trimtab.compress.passes.base import PassRejected
from trimtab.compress.passes.distillation.attention_heads import attention_layers
from trimtab.compress.passes.distillation.settings import Importance
from trimtab.compress.quiet import quiet
from trimtab.task import as_tensors

if TYPE_CHECKING:
    from torch import Tensor, nn

_MULTIPLE = 8
# Ratios are rounded by torch-pruning: a hundredth keeps 0.1 * 3 from becoming one channel less.
_HAIR = 0.01


@dataclass(frozen=True)
class Narrowed:
    """``whole``: layers whose width had to stay, as the model did not run otherwise."""

    model: nn.Module
    whole: tuple[str, ...]


def narrowed(
    model: nn.Module, examples: tuple[Tensor, ...], width: float, importance: Importance
) -> Narrowed:
    """A copy. Channels that layers share are removed from all; what breaks the model stays.

    Raises PassRejected.
    """
    wanted = _output_shapes(model, examples)
    whole: tuple[str, ...] = ()
    made = _try(model, examples, _Request(width, importance, whole), wanted)
    if made is None:
        whole = tuple(
            root
            for root in _roots(model, examples)
            if _try(model, examples, _Request(width, importance, whole, only=root), wanted) is None
        )
        made = _try(model, examples, _Request(width, importance, whole), wanted)
    if made is None:
        raise PassRejected(
            'student = "narrow": the model does not run with fewer channels'
            + (f", also with those of {', '.join(whole)}" if whole else "")
            + '; write a student() into the task file and set student = "own"'
        )
    if parameter_count(made) == parameter_count(model):
        raise PassRejected(
            f'student = "narrow": no hidden width can be brought to {width:g} of what it is in '
            f"multiples of {_MULTIPLE} (recurrent layers keep theirs); write a student() into the "
            'task file and set student = "own"'
        )
    return Narrowed(made, whole)


def parameter_count(model: nn.Module) -> int:
    return sum(each.numel() for each in model.parameters())


@dataclass(frozen=True)
class _Request:
    """``whole``: roots of groups of channels to leave alone; ``only``: the one to narrow."""

    width: float
    importance: Importance
    whole: tuple[str, ...] = ()
    only: str | None = None

    def concerns(self, root: str) -> bool:
        return root not in self.whole and self.only in (None, root)


def _try(
    model: nn.Module, examples: tuple[Tensor, ...], request: _Request, wanted: list[Any]
) -> nn.Module | None:
    """None: it does not run, or gives outputs of other shapes."""
    made = copy.deepcopy(model).eval()
    try:
        with quiet():
            _narrow(made, examples, request)
        if _output_shapes(made, examples) != wanted:
            return None
    except Exception:  # whatever the model's own forward() makes of widths it did not expect
        return None
    trained = {name for name, each in model.named_parameters() if each.requires_grad}
    for name, each in made.named_parameters():
        each.requires_grad_(name in trained)
    return made


def _narrow(model: nn.Module, examples: tuple[Tensor, ...], request: _Request) -> None:
    import torch_pruning

    for parameter in model.parameters():
        parameter.requires_grad_(parameter.is_floating_point())  # the graph is read from autograd's
    attention = attention_layers(model)
    heads = {part: each.heads for each in attention for part in each.parts}
    ratios: dict[nn.Module, float] = {}
    for root, layers in _groups(model, examples).items():
        if request.concerns(root):
            ratio = _removed_share(model.get_submodule(root), layers, heads, request.width)
            ratios |= dict.fromkeys(layers, ratio)
    pruner = torch_pruning.pruner.BasePruner(
        model,
        examples,
        importance=_importance(request.importance),
        pruning_ratio=0.0,
        pruning_ratio_dict=ratios,
        head_pruning_ratio_dict={each: ratio for each, ratio in ratios.items() if each in heads},
        ignored_layers=[each for each in _layers(model) if each not in ratios],
        num_heads=dict(heads),
        prune_num_heads=True,
        prune_head_dims=False,
        root_module_types=list(_root_types()),
        output_transform=as_tensors,
    )
    for group in pruner.step(interactive=True):
        group.prune()
    for each in attention:
        each.settle(pruner.num_heads[each.parts[0]])


def _importance(name: Importance) -> Any:
    from torch_pruning import importance

    if name == "random":
        return importance.RandomImportance()
    return importance.GroupMagnitudeImportance(p=2)


def _groups(model: nn.Module, examples: tuple[Tensor, ...]) -> dict[str, list[nn.Module]]:
    """Layers whose widths are one, by the name of the first; without those of the outputs."""
    import torch_pruning

    graph = torch_pruning.DependencyGraph().build_dependency(
        model, examples, output_transform=as_tensors, verbose=False
    )
    names = {layer: name for name, layer in model.named_modules()}
    found: dict[str, list[nn.Module]] = {}
    for group in graph.get_all_groups(root_module_types=_root_types()):
        widened = [dep for dep, _ in group if graph.is_out_channel_pruning_fn(dep.handler)]
        if any(not dep.target.outputs for dep in widened):
            continue
        layers = [dep.target.module for dep in widened if dep.target.module in names]
        found[names[group[0].dep.target.module]] = layers
    return found


def _roots(model: nn.Module, examples: tuple[Tensor, ...]) -> list[str]:
    made = copy.deepcopy(model).eval()
    with quiet():
        return list(_groups(made, examples))


def _root_types() -> tuple[type[nn.Module], ...]:
    from torch import nn

    plain = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear, nn.Embedding)
    return (*plain, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def _layers(model: nn.Module) -> list[nn.Module]:
    return [each for each in model.modules() if isinstance(each, _root_types())]


def _removed_share(
    root: nn.Module, layers: list[nn.Module], heads: dict[nn.Module, int], wanted: float
) -> float:
    """Of the root's width, or of its heads where it has them."""
    count = next((heads[each] for each in layers if each in heads), 0)
    if count:
        removed = count - max(1, round(count * wanted))
        return max(0.0, (removed - _HAIR) / count)
    width = _width_of(root)
    multiple = _multiple(layers)
    left = max(multiple, multiple * round(width * wanted / multiple))
    return max(0.0, 1 - (left + _HAIR) / width)


def _width_of(root: nn.Module) -> int:
    names = ("out_channels", "out_features", "embedding_dim")
    return next(int(getattr(root, name)) for name in names if hasattr(root, name))


def _multiple(layers: list[nn.Module]) -> int:
    """Heads of torch's own attention and groups of channels must divide the width too."""
    from torch import nn

    parts = [each.num_heads for each in layers if isinstance(each, nn.MultiheadAttention)]
    parts += [each.num_groups for each in layers if isinstance(each, nn.GroupNorm)]
    return math.lcm(_MULTIPLE, *parts)


def _output_shapes(model: nn.Module, examples: tuple[Tensor, ...]) -> list[Any]:
    import torch

    with torch.no_grad():
        return [tuple(each.shape) for each in as_tensors(model(*examples))]
