"""Post-training quantization of exported files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from trimtab.compress.cache import arrays_digest
from trimtab.compress.passes.base import (
    ArtifactPass,
    ModelFile,
    Need,
    PassConfig,
    PassContext,
    PassRejected,
)
from trimtab.compress.passes.quantization import onnx_files, tflite_files
from trimtab.compress.quiet import quiet

Scheme = Literal["static", "dynamic", "fp16"]
# Not "entropy": ONNX Runtime's, with the bins that quantize_static gives it, is always minmax.
Method = Literal["minmax", "percentile"]
DEFAULT_SAMPLES = 256


class QuantizeConfig(PassConfig):
    scheme: Scheme = Field(
        description="static: int8 weights and activations, with ranges calibrated on data; "
        "dynamic: int8 weights, activations quantized while running; fp16: half precision"
    )
    samples: int | None = Field(
        default=None, ge=1, description="static: how many samples the ranges are calibrated on"
    )
    method: Method | None = Field(
        default=None, description="static: how a range is taken from the values that were seen"
    )

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, values: Any) -> Any:
        """Defaults of static are written down, so that a recipe says all that was in force."""
        if not isinstance(values, dict):
            return values
        if values.get("scheme") == "static":
            return {"samples": DEFAULT_SAMPLES, "method": "minmax", **values}
        extra = [name for name in ("samples", "method") if name in values]
        if extra and "scheme" in values:
            raise ValueError(f"{extra[0]} is a setting of scheme static alone")
        return values


class QuantizePass(ArtifactPass[QuantizeConfig]):
    name: ClassVar[str] = "quantize"
    config: ClassVar[type[PassConfig]] = QuantizeConfig
    modules: ClassVar[tuple[str, ...]] = (
        "onnx",
        "onnxruntime",
        "onnxconverter_common",
        "ai_edge_quantizer",
    )

    def requires(self, config: QuantizeConfig) -> frozenset[Need]:
        return frozenset({"calibration_data"}) if config.scheme == "static" else frozenset()

    def rejects(self, model_format: str, config: QuantizeConfig) -> str | None:
        if model_format not in ("onnx", "tflite"):
            return f"quantize does not write {model_format}; it writes onnx and tflite"
        if model_format == "tflite" and config.method not in (None, "minmax"):
            return f"tflite is calibrated with method minmax only, not {config.method}"
        return None

    def data_key(self, config: QuantizeConfig, context: PassContext) -> str:
        samples = config.samples
        return arrays_digest(context.task.calibration(samples)) if samples else ""

    def apply(
        self, source: ModelFile, target: Path, config: QuantizeConfig, context: PassContext
    ) -> str:
        with quiet():
            if config.scheme == "static":
                return _static(source, target, config, context)
            if source.format == "onnx":
                return _ONNX[config.scheme](source.path, target, context.scratch)
            return _TFLITE[config.scheme](source.path, target)


_ONNX = {"dynamic": onnx_files.dynamic, "fp16": onnx_files.half}
_TFLITE = {"dynamic": tflite_files.dynamic, "fp16": tflite_files.half}


def _static(source: ModelFile, target: Path, config: QuantizeConfig, context: PassContext) -> str:
    if config.samples is None or config.method is None:
        raise PassRejected("scheme static needs samples and method")
    samples = context.task.calibration(config.samples)
    data = dict(zip(context.task.input_names, samples, strict=True))
    if source.format == "onnx":
        done = onnx_files.static(source.path, target, data, config.method, context.scratch)
    else:
        done = tflite_files.static(source.path, target, data)
    origin = f"{len(samples[0])} samples of {context.task.calibration_origin}"
    return f"{done}, calibrated on {origin} ({config.method})"
