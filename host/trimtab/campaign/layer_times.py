"""Times of a model's layers, from the profile of the file that was exported from it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trimtab.compress.passes import PassRejected
from trimtab.compress.passes.quantization.layer_latency import operator_kind
from trimtab.compress.quiet import quiet
from trimtab.export.base import ExportRequest, one_line
from trimtab.export.onnx_layers import LayerNode, export_layers
from trimtab.extras import need_compress
from trimtab.operator_profile import OperatorTime
from trimtab.task import Task, as_arrays

if TYPE_CHECKING:
    from torch import nn

_FUSED = "fused "


def export_to_profile(model: nn.Module, task: Task, target: Path) -> tuple[LayerNode, ...]:
    """The model as ONNX in ``target``. Raises PassRejected where it cannot be exported."""
    import torch

    need_compress("profiling a model", "torch", "onnx", "onnxscript", "onnxruntime")
    with torch.no_grad():
        outputs = as_arrays(model(*task.example_inputs))
    request = ExportRequest(
        model=model,
        example_inputs=task.example_inputs,
        input_names=task.input_names,
        output_names=task.output_names(len(outputs)),
        dynamic_shapes=task.dynamic_shapes(),
    )
    try:
        with quiet():
            return export_layers(request, target)
    except Exception as error:  # converters raise their own kinds
        raise PassRejected(f"no profile without an ONNX file: {one_line(error)}") from error


def times_of_layers(
    nodes: Sequence[LayerNode], operators: Sequence[OperatorTime]
) -> dict[str, float]:
    """Milliseconds by layer. Raises PassRejected where the operators cannot be told apart.

    By name: runtimes keep the node's, or take that of the value it gives, or that of what they fuse
    behind it. What has another name goes by order: the n-th of its kind.
    """
    ours = [each for each in operators if operator_kind(each.type)]
    matched = _by_name(nodes, ours)
    rest = [node for node in nodes if node.name not in matched]
    taken = {id(each) for each in matched.values()}
    for kind in ("convolution", "product"):
        wanted = [node for node in rest if operator_kind(node.operator) == kind]
        found = [
            each for each in ours if operator_kind(each.type) == kind and id(each) not in taken
        ]
        if wanted and len(wanted) != len(found):
            raise PassRejected(
                f"the layers' times cannot be told apart: the device's profile has {len(found)} "
                f"{kind}s that could be {', '.join(node.layer for node in wanted)}"
            )
        matched |= {node.name: each for node, each in zip(wanted, found, strict=False)}
    times: dict[str, float] = {}
    for node in nodes:
        times[node.layer] = times.get(node.layer, 0.0) + (matched[node.name].total_ms or 0.0)
    return times


def _by_name(
    nodes: Sequence[LayerNode], operators: Iterable[OperatorTime]
) -> dict[str, OperatorTime]:
    """The nearest names first: a residual addition lies behind several convolutions."""
    left = {_plain(each.name): each for each in operators}
    names = {node.name: (node.name, *node.values) for node in nodes}
    matched: dict[str, OperatorTime] = {}
    for distance in range(max(map(len, names.values()), default=0)):
        for node, its in names.items():
            if node not in matched and distance < len(its) and its[distance] in left:
                matched[node] = left.pop(its[distance])
    return matched


def _plain(name: str) -> str:
    """Without what ONNX Runtime puts about it: "fused conv", "relu_nchwc", "x_token_3"."""
    bare = name.removeprefix(_FUSED).partition("_token_")[0]
    return bare.removesuffix("_nchwc").partition("/MatMul")[0]
