""".tflite files through ai-edge-quantizer's recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trimtab.compress.passes.base import PassRejected
from trimtab.task import NamedArrays, rows_of_file, single_samples


def dynamic(source: Path, target: Path) -> str:
    from ai_edge_quantizer import recipe

    _write(_quantizer(source, recipe.dynamic_wi8_afp32()).quantize(), source, target)
    return "quantized dynamically: int8 weights per channel"


def static(source: Path, target: Path, data: NamedArrays) -> str:
    from ai_edge_quantizer import recipe

    scheme = recipe.static_wi8_ai8()
    ranges = _ranges(source, scheme, data)
    _write(_quantizer(source, scheme).quantize(ranges), source, target)
    return "quantized statically: int8 weights per channel, int8 activations, inputs and outputs"


def half(source: Path, target: Path) -> str:
    from ai_edge_quantizer import algorithm_manager, qtyping

    quantizer = _quantizer(source, None)
    weights = qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT)
    quantizer.update_quantization_recipe(
        regex=".*",
        operation_name=qtyping.TFLOperationName.ALL_SUPPORTED,
        op_config=qtyping.OpQuantizationConfig(
            weight_tensor_config=weights, compute_precision=qtyping.ComputePrecision.FLOAT
        ),
        algorithm_key=algorithm_manager.AlgorithmName.FLOAT_CASTING,
    )
    _write(quantizer.quantize(), source, target)
    return "weights converted to half precision; the arithmetic stays float32"


def _quantizer(source: Path, recipe: Any) -> Any:
    from ai_edge_quantizer import quantizer

    made = quantizer.Quantizer(str(source))
    if recipe is not None:
        made.load_quantization_recipe(recipe)
    return made


def _ranges(source: Path, scheme: Any, data: NamedArrays) -> Any:
    """The smallest and largest value of each tensor over all samples.

    ``Quantizer.calibrate`` would take a moving average of them instead, which cut the digits'
    outputs off at 60 % of their range.
    """
    from ai_edge_quantizer import calibrator, recipe_manager
    from ai_edge_quantizer.utils import qsv_utils

    manager = recipe_manager.RecipeManager()
    manager.load_quantization_recipe(scheme)
    observed = calibrator.Calibrator(
        str(source), num_threads=1, qsv_update_func=qsv_utils.min_max_update
    )
    observed.calibrate(_calibration(source, data), manager)
    return observed.get_model_qsvs()


def _calibration(source: Path, data: NamedArrays) -> dict[str, list[dict[str, Any]]]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(source))
    signature = next(iter(interpreter.get_signature_list()))
    details = interpreter.get_signature_runner(signature).get_input_details()
    feeds = [
        {name: array.astype(details[name]["dtype"]) for name, array in sample.items()}
        for sample in single_samples(data, rows_of_file(source, "tflite"))
    ]
    return {signature: feeds}


def _write(result: Any, source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    result.export_model(str(target))
    if target.stat().st_size >= source.stat().st_size:
        raise PassRejected("nothing was quantized: the file did not get smaller")
