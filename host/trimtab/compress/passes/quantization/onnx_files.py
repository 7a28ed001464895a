"""ONNX files through ONNX Runtime's quantizer and onnxconverter-common's half precision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from trimtab.compress.passes.base import PassRejected
from trimtab.task import NamedArrays, rows_of_file, single_samples

if TYPE_CHECKING:
    from onnxruntime.quantization import CalibrationDataReader

# Dynamic convolutions ran five times slower than float ones in ONNX Runtime.
_DYNAMIC_OPERATORS = ("MatMul", "Gemm")
_METHODS = {"minmax": "MinMax", "percentile": "Percentile"}


def dynamic(source: Path, target: Path, scratch: Path) -> str:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    prepared, note = _prepared(source, scratch)
    quantize_dynamic(
        prepared,
        target,
        weight_type=QuantType.QInt8,
        per_channel=True,
        op_types_to_quantize=list(_DYNAMIC_OPERATORS),
    )
    _check_quantized(target, "the model has no MatMul or Gemm with constant weights")
    return f"quantized dynamically: int8 weights of {' and '.join(_DYNAMIC_OPERATORS)}{note}"


def static(
    source: Path,
    target: Path,
    data: NamedArrays,
    method: str,
    scratch: Path,
    keep_float: Sequence[str] = (),
) -> str:
    """QDQ form, int8 weights per channel, uint8 activations; named nodes may stay float."""
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    prepared, note = _prepared(source, scratch)
    quantize_static(
        prepared,
        target,
        _reader(data, rows_of_file(prepared, "onnx")),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=getattr(CalibrationMethod, _METHODS[method]),
        nodes_to_exclude=list(keep_float),
    )
    _check_quantized(target, "the model has no operator that static quantization knows")
    return f"quantized statically: int8 weights per channel, uint8 activations{note}"


def half(source: Path, target: Path, scratch: Path) -> str:
    """``scratch`` is not used: the signature is that of the other schemes."""
    import onnx
    from onnxconverter_common import float16

    model = float16.convert_float_to_float16(onnx.load(source), keep_io_types=True)
    if not any(t.data_type == onnx.TensorProto.FLOAT16 for t in model.graph.initializer):
        raise PassRejected("the model has no float weights to make half precision of")
    onnx.save(model, target)
    return "converted to half precision; inputs and outputs stay float32"


def _prepared(source: Path, scratch: Path) -> tuple[Path, str]:
    """Folded and with shapes, where that works: it fails on some transformers, which do without."""
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared = scratch / f"{source.stem}.prepared.onnx"
    try:
        quant_pre_process(source, prepared)
    except Exception:
        return source, " (shape inference failed, quantized without it)"
    return prepared, ""


def _reader(data: NamedArrays, rows: Mapping[str, int]) -> CalibrationDataReader:
    from onnxruntime.quantization import CalibrationDataReader

    feeds = single_samples(data, rows)

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # the base class has no types
        def get_next(self) -> Mapping[str, npt.NDArray[Any]] | None:
            return next(feeds, None)

    return Reader()


def _check_quantized(path: Path, reason: str) -> None:
    import onnx

    int8 = (onnx.TensorProto.INT8, onnx.TensorProto.UINT8)
    weights = onnx.load(path).graph.initializer
    if not any(tensor.data_type in int8 and len(tensor.dims) > 1 for tensor in weights):
        raise PassRejected(f"nothing was quantized: {reason}")
