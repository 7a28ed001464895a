"""The schemes for ONNX files; those with more to them are in onnx_static and onnx_weights."""

from __future__ import annotations

from pathlib import Path

from trimtab.compress.passes.base import PassRejected
from trimtab.compress.passes.quantization.onnx_graph import check_quantized, prepared
from trimtab.compress.passes.quantization.onnx_static import static
from trimtab.compress.passes.quantization.onnx_weights import dynamic_int4, weight_int4, weight_int8

__all__ = ["dynamic", "dynamic_int4", "half", "static", "weight_int4", "weight_int8"]

# Dynamic convolutions ran five times slower than float ones in ONNX Runtime.
_DYNAMIC_OPERATORS = ("MatMul", "Gemm")


def dynamic(source: Path, target: Path, scratch: Path, per_channel: bool = True) -> str:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    readied, note = prepared(source, scratch)
    quantize_dynamic(
        readied,
        target,
        weight_type=QuantType.QInt8,
        per_channel=per_channel,
        op_types_to_quantize=list(_DYNAMIC_OPERATORS),
    )
    check_quantized(target, "the model has no MatMul or Gemm with constant weights")
    return (
        f"quantized dynamically: int8 weights of {' and '.join(_DYNAMIC_OPERATORS)} per "
        f"{'channel' if per_channel else 'tensor'}, the rest stays float{note}"
    )


def half(source: Path, target: Path) -> str:
    import onnx
    from onnxconverter_common import float16

    model = float16.convert_float_to_float16(onnx.load(source), keep_io_types=True)
    if not any(t.data_type == onnx.TensorProto.FLOAT16 for t in model.graph.initializer):
        raise PassRejected("the model has no float weights to make half precision of")
    onnx.save(model, target)
    return "converted to half precision; inputs and outputs stay float32"
