"""Static quantization of ONNX files: ONNX Runtime's quantizer with ranges of our own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trimtab.compress.passes.base import PassRejected
from trimtab.compress.passes.quantization.onnx_graph import check_quantized, name_nodes, prepared
from trimtab.compress.passes.quantization.ranges import (
    Method,
    RangeRule,
    Ranges,
    RunAll,
    observed_ranges,
    unquantizable,
)
from trimtab.compress.passes.quantization.static_options import StaticOptions, kept_float
from trimtab.onnx_session import cpu_session
from trimtab.task import NamedArrays, rows_of_file, single_samples

_QUANT_TYPES = {"uint8": "QUInt8", "int8": "QInt8", "int16": "QInt16"}


def static(
    source: Path,
    target: Path,
    data: NamedArrays,
    method: Method,
    scratch: Path,
    keep_float: Sequence[str] = (),
    options: StaticOptions = StaticOptions(),  # noqa: B008  # frozen
) -> str:
    """QDQ form, int8 weights; named nodes may stay float."""
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    activations = options.activations or "uint8"
    readied, note = prepared(source, scratch)
    nodes = name_nodes(readied, scratch)
    _check_known(nodes, keep_float)
    rule = RangeRule(method, options.percentile)
    ranges = observed_ranges(
        all_tensors(nodes), single_samples(data, rows_of_file(nodes, "onnx")), rule
    )
    masked = nodes_at(nodes, unquantizable(ranges))
    quantize_static(
        nodes,
        target,
        None,
        quant_format=QuantFormat.QDQ,
        per_channel=options.per_channel,
        activation_type=getattr(QuantType, _QUANT_TYPES[activations]),
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.MinMax,
        nodes_to_exclude=[*keep_float, *masked],
        extra_options={"ActivationSymmetric": activations == "int16"},
        calibration_cache_path=stored_ranges(ranges, scratch / f"{source.stem}.ranges.json"),
    )
    check_quantized(target, "the model has no operator that static quantization knows")
    note += kept_float(len(masked))
    return f"quantized statically: {options.weights}, {activations} activations{note}"


def all_tensors(path: Path) -> RunAll:
    """Every tensor of the outer graph, inputs too."""
    import onnx

    model = onnx.load(path)
    outputs = {value.name for value in model.graph.output}
    names = [name for node in model.graph.node for name in node.output if name]
    model.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names if n not in outputs)
    # Optimised graphs would compute the tensors in other ways than the one that is quantized.
    session = cpu_session(model.SerializeToString(), optimized=False)
    told = [each.name for each in session.get_outputs()]

    def run(sample: NamedArrays) -> dict[str, Any]:
        seen = zip(told, session.run(None, dict(sample)), strict=True)
        return {**sample, **{name: each for name, each in seen if isinstance(each, np.ndarray)}}

    return run


def _check_known(path: Path, names: Sequence[str]) -> None:
    import onnx

    known = {node.name for node in onnx.load(path).graph.node}
    missing = [name for name in names if name not in known]
    if missing:
        raise PassRejected(f"the file has no node {missing[0]}, which was to stay float")


def nodes_at(path: Path, tensors: frozenset[str]) -> list[str]:
    import onnx

    if not tensors:
        return []
    nodes = onnx.load(path).graph.node
    return [node.name for node in nodes if tensors & {*node.input, *node.output}]


def stored_ranges(ranges: Ranges, path: Path) -> Path:
    """In ONNX Runtime's form of a calibration that was made before."""
    from onnxruntime.quantization.calibrate import (
        CalibrationMethod,
        TensorsData,
        save_tensors_data,
    )

    if not ranges:
        raise PassRejected("nothing was quantized: the model has no float tensors")
    left_out = unquantizable(ranges)
    pairs = {
        name: (np.array(low, np.float32), np.array(high, np.float32))
        for name, (low, high) in ranges.items()
        if name not in left_out
    }
    path.unlink(missing_ok=True)
    save_tensors_data(TensorsData(CalibrationMethod.MinMax, pairs), path)
    return path
