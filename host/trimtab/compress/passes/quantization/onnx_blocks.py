"""Four bits in blocks: ONNX Runtime's own operators in the place of MatMul and Gather."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trimtab.compress.passes.quantization.onnx_graph import counted, drop_unused, replace_nodes

if TYPE_CHECKING:
    import onnx

BLOCK = 32


def in_blocks(
    source: Path, scratch: Path, accuracy_level: int, operators: tuple[str, ...]
) -> tuple[Path, str]:
    """Written to a new file; what was quantized, empty: nothing."""
    import onnx
    from onnxruntime.quantization.matmul_nbits_quantizer import (
        DefaultWeightOnlyQuantConfig,
        MatMulNBitsQuantizer,
    )

    model = onnx.load(source)
    _gemm_as_matmul(model)
    config = DefaultWeightOnlyQuantConfig(
        block_size=BLOCK,
        is_symmetric=True,
        accuracy_level=accuracy_level,
        op_types_to_quantize=operators,
        quant_axes=(("MatMul", 0), ("Gather", 1)),
    )
    quantizer = MatMulNBitsQuantizer(model, algo_config=config)
    quantizer.process()
    written = scratch / f"{source.stem}.blocks.onnx"
    quantizer.model.save_model_to_file(str(written), False)
    names = {"MatMulNBits": "MatMul", "GatherBlockQuantized": "Gather"}
    found = (names.get(node.op_type) for node in onnx.load(written).graph.node)
    return written, counted(Counter(name for name in found if name))


def _gemm_as_matmul(model: onnx.ModelProto) -> None:
    """ONNX Runtime's block-wise operator takes the place of MatMul alone."""
    from onnx import helper, numpy_helper

    constants = {each.name: each for each in model.graph.initializer}
    nodes: list[Any] = []
    for node in model.graph.node:
        settings = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        scaled = settings.get("alpha", 1.0) != 1.0 or settings.get("beta", 1.0) != 1.0
        plain = node.op_type == "Gemm" and not scaled and not settings.get("transA", 0)
        if not plain or node.input[1] not in constants:
            nodes.append(node)
            continue
        weights = numpy_helper.to_array(constants[node.input[1]])
        name = f"{node.input[1]}_of_{node.name or node.output[0]}"
        turned = weights.T if settings.get("transB", 0) else weights
        model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(turned), name))
        has_bias = len(node.input) > 2 and bool(node.input[2])
        product = f"{node.output[0]}_product" if has_bias else node.output[0]
        label = node.name or node.output[0]
        nodes.append(helper.make_node("MatMul", [node.input[0], name], [product], label))
        if has_bias:
            nodes.append(
                helper.make_node("Add", [product, node.input[2]], [node.output[0]], f"{label}_bias")
            )
    replace_nodes(model, nodes)
    drop_unused(model)
