"""Post-training quantization of exported files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from trimtab.compress.cache import arrays_digest
from trimtab.compress.passes.base import (
    ArtifactPass,
    ModelFile,
    ModelPass,
    Need,
    PassConfig,
    PassContext,
    PassRejected,
)
from trimtab.compress.passes.quantization import onnx_files, tflite_files
from trimtab.compress.passes.quantization.calibration import (
    CalibrationData,
    Origin,
    calibration_data,
)
from trimtab.compress.passes.quantization.ranges import DEFAULT_PERCENTILE, Method
from trimtab.compress.passes.quantization.static_options import StaticOptions
from trimtab.compress.quiet import quiet

Scheme = Literal[
    "static", "static-int16", "dynamic", "dynamic-int4", "weight-int8", "weight-int4", "fp16"
]
STATIC_SCHEMES = ("static", "static-int16")
DEFAULT_SAMPLES = 256
_STATIC_SETTINGS = {"samples", "method", "percentile", "per_channel", "calibration"}
_TAKES: dict[str, set[str]] = {
    "static": _STATIC_SETTINGS | {"activations"},
    "static-int16": _STATIC_SETTINGS,
    "dynamic": {"per_channel"},
    "dynamic-int4": set(),
    "weight-int8": {"per_channel"},
    "weight-int4": set(),
    "fp16": set(),
}


class QuantizeConfig(PassConfig):
    scheme: Scheme = Field(
        description="static: int8 weights and activations, with ranges calibrated on data; "
        "static-int16: the same with int16 activations; "
        "dynamic: int8 weights, activations quantized while running; "
        "dynamic-int4: the same with int4 weights; "
        "weight-int8, weight-int4: weights alone, float arithmetic; fp16: half precision"
    )
    samples: int | None = Field(
        default=None, ge=2, description="static: how many samples the ranges are calibrated on"
    )
    method: Method | None = Field(
        default=None, description="static: how a range is taken from the values that were seen"
    )
    percentile: float | None = Field(
        default=None,
        gt=50,
        lt=100,
        description="method percentile: how many of the values stay inside, in percent",
    )
    activations: Literal["uint8", "int8"] | None = Field(
        default=None, description="static: else uint8 in ONNX and int8 in TFLite"
    )
    per_channel: bool | None = Field(
        default=None, description="a scale for each output channel of the weights, unless false"
    )
    calibration: Origin | None = Field(
        default=None, description="static: what ranges are seen on, the task's own data unless set"
    )

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, values: Any) -> Any:
        """Numbers that a result depends on are written down, so that a recipe says them."""
        if not isinstance(values, dict) or values.get("scheme") not in _TAKES:
            return values
        scheme = values["scheme"]
        extra = [name for name in values if name in cls.model_fields and name != "scheme"]
        extra = [name for name in extra if name not in _TAKES[scheme]]
        if extra:
            takers = [each for each, settings in _TAKES.items() if extra[0] in settings]
            raise ValueError(f"{extra[0]} is a setting of scheme {' and '.join(takers)} alone")
        if scheme not in STATIC_SCHEMES:
            return values
        values = {"samples": DEFAULT_SAMPLES, "method": "minmax", **values}
        if values["method"] == "percentile":
            return {"percentile": DEFAULT_PERCENTILE, **values}
        if values.get("percentile") is not None:
            raise ValueError("percentile is a setting of method percentile alone")
        return values


_QUANTIZED_AS_MODELS = ("pte", "pt2")  # here: their pass imports torch


class QuantizePass(ArtifactPass[QuantizeConfig]):
    name: ClassVar[str] = "quantize"
    config: ClassVar[type[PassConfig]] = QuantizeConfig
    modules: ClassVar[tuple[str, ...]] = (
        "onnx",
        "onnxruntime",
        "onnxconverter_common",
        "ai_edge_quantizer",
    )
    never_after: ClassVar[frozenset[str]] = frozenset({"mixed_precision", "qat"})

    def for_format(
        self, model_format: str
    ) -> ArtifactPass[QuantizeConfig] | ModelPass[QuantizeConfig]:
        if model_format not in _QUANTIZED_AS_MODELS:
            return self
        from trimtab.compress.passes.quantization.pt2e_quantize import Pt2eQuantizePass

        return Pt2eQuantizePass()

    def requires(self, config: QuantizeConfig) -> frozenset[Need]:
        on_data = config.scheme in STATIC_SCHEMES and config.calibration != "random"
        return frozenset({"calibration_data"}) if on_data else frozenset()

    def rejects(self, model_format: str, config: QuantizeConfig) -> str | None:
        if model_format not in _FORMATS:
            written = ", ".join((*_FORMATS, *_QUANTIZED_AS_MODELS))
            instead = "; OpenVINO runs quantized onnx files" if model_format == "openvino" else ""
            return f"quantize does not write {model_format}, only {written}{instead}"
        if model_format == "tflite" and config.activations == "uint8":
            return "tflite has int8 activations only, not uint8: leave activations out"
        return None

    def data_key(self, config: QuantizeConfig, context: PassContext) -> str:
        if config.scheme not in STATIC_SCHEMES:
            return ""
        return arrays_digest(_data(config, context).samples.values())

    def apply(
        self, source: ModelFile, target: Path, config: QuantizeConfig, context: PassContext
    ) -> str:
        with quiet():
            if config.scheme in STATIC_SCHEMES:
                return _static(source, target, config, context)
            work = _FORMATS[source.format][config.scheme]
            channels = {} if config.per_channel is None else {"per_channel": config.per_channel}
            return work(source.path, target, context.scratch, **channels)


_Work = Callable[..., str]


def _without_scratch(work: _Work) -> _Work:
    return lambda source, target, scratch, **settings: work(source, target, **settings)


_FORMATS: dict[str, dict[str, _Work]] = {
    "onnx": {
        "dynamic": onnx_files.dynamic,
        "dynamic-int4": onnx_files.dynamic_int4,
        "weight-int8": onnx_files.weight_int8,
        "weight-int4": onnx_files.weight_int4,
        "fp16": _without_scratch(onnx_files.half),
    },
    "tflite": {
        "dynamic": _without_scratch(tflite_files.dynamic),
        "dynamic-int4": _without_scratch(tflite_files.dynamic_int4),
        "weight-int8": _without_scratch(tflite_files.weight_int8),
        "weight-int4": _without_scratch(tflite_files.weight_int4),
        "fp16": _without_scratch(tflite_files.half),
    },
}


def _data(config: QuantizeConfig, context: PassContext) -> CalibrationData:
    if config.samples is None:
        raise PassRejected(f"scheme {config.scheme} needs samples")
    return calibration_data(context.task, config.samples, config.calibration or "task")


def _static(source: ModelFile, target: Path, config: QuantizeConfig, context: PassContext) -> str:
    data = _data(config, context)
    method = config.method or "minmax"
    options = StaticOptions(
        config.percentile or DEFAULT_PERCENTILE,
        config.per_channel is not False,
        "int16" if config.scheme == "static-int16" else config.activations,
    )
    if source.format == "onnx":
        done = onnx_files.static(
            source.path, target, data.samples, method, context.scratch, options=options
        )
    else:
        done = tflite_files.static(source.path, target, data.samples, method, options=options)
    cut = f" {config.percentile:g} %" if config.percentile else ""
    return f"{done}, calibrated on {data.origin} ({method}{cut})"
