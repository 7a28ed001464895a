"""What the schemes for ONNX files share: readying a graph, and a look at what came out."""

from __future__ import annotations

from collections import Counter
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab.compress.passes.base import PassRejected

if TYPE_CHECKING:
    import onnx


def prepared(source: Path, scratch: Path) -> tuple[Path, str]:
    """Folded and with shapes, where that works: it fails on some transformers, which do without."""
    from onnxruntime.quantization.shape_inference import quant_pre_process

    readied = scratch / f"{source.stem}.prepared.onnx"
    note = _branches(source)
    source, readied = source.absolute(), readied.absolute()
    try:
        # Where it fails it leaves what it had, weights and all, in the working folder.
        with chdir(scratch):
            quant_pre_process(source, readied)
    except Exception:
        return source, f" (shape inference failed, quantized without it){note}"
    return readied, note


def _branches(source: Path) -> str:
    """ONNX Runtime's quantizer, and weight-only quantization, stay in the outer graph."""
    import onnx

    inner = {
        node.op_type
        for node in onnx.load(source).graph.node
        for each in node.attribute
        if each.HasField("g")
    }
    return f" (what is inside {' and '.join(sorted(inner))} stays float)" if inner else ""


def name_nodes(source: Path, scratch: Path) -> Path:
    """A file whose nodes can be told apart: names are optional, exclusions go by them.

    Its biases are vectors: a Gemm may have one of shape [1, N], at which ONNX Runtime's quantizer
    fails.
    """
    import onnx

    model = onnx.load(source)
    flattened = _flatten_biases(model)
    if not flattened and all(node.name for node in model.graph.node):
        return source
    for index, node in enumerate(model.graph.node):
        node.name = node.name or f"node_{index}_{node.op_type}"
    named = scratch / f"{source.stem}.named.onnx"
    onnx.save(model, named)
    return named


def _flatten_biases(model: onnx.ModelProto) -> int:
    """How many there were."""
    uses = Counter(name for node in model.graph.node for name in node.input)
    gemms = (node for node in model.graph.node if node.op_type == "Gemm" and len(node.input) > 2)
    biases = {node.input[2] for node in gemms if uses[node.input[2]] == 1}
    rows = [
        each
        for each in model.graph.initializer
        if each.name in biases and len(each.dims) == 2 and each.dims[0] == 1
    ]
    for each in rows:
        del each.dims[0]
    names = {each.name for each in rows}
    outdated = [value for value in model.graph.value_info if value.name in names]
    for value in outdated:
        model.graph.value_info.remove(value)
    return len(rows)


def check_quantized(path: Path, reason: str) -> None:
    import onnx

    types = onnx.TensorProto
    small = (types.INT8, types.UINT8, types.INT4, types.UINT4)
    weights = onnx.load(path).graph.initializer
    if not any(tensor.data_type in small and len(tensor.dims) > 1 for tensor in weights):
        raise PassRejected(f"nothing was quantized: {reason}")


def replace_nodes(model: onnx.ModelProto, nodes: list[Any]) -> None:
    import onnx

    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)


def drop_unused(model: onnx.ModelProto) -> None:
    used = {name for node in model.graph.node for name in node.input}
    used |= {value.name for value in model.graph.output}
    used |= _used_in_branches(model.graph)
    kept = [each for each in model.graph.initializer if each.name in used]
    copies = [type(each).FromString(each.SerializeToString()) for each in kept]
    del model.graph.initializer[:]
    model.graph.initializer.extend(copies)


def _used_in_branches(graph: Any) -> set[str]:
    inner = [
        each
        for node in graph.node
        for attribute in node.attribute
        for each in (attribute.g, *attribute.graphs)
    ]
    used = {name for each in inner for node in each.node for name in node.input}
    used |= {value.name for each in inner for value in each.output}
    return used.union(*(_used_in_branches(each) for each in inner))


def counted(count: Counter[str]) -> str:
    return ", ".join(f"{number} {name}" for name, number in sorted(count.items()))
