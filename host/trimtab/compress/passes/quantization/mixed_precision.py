"""Mixed precision: static int8 but for the layers that cannot bear it, found by measuring each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, model_validator
from trimtab_protos.digest import digest_file

from trimtab.compress.cache import arrays_digest, copy_whole
from trimtab.compress.layers_file import write_layers
from trimtab.compress.passes.base import (
    ArtifactPass,
    ModelFile,
    Need,
    PassConfig,
    PassContext,
    PassRejected,
)
from trimtab.compress.passes.quantization.calibration import calibration_data
from trimtab.compress.passes.quantization.layer_latency import LayerTime, layer_times
from trimtab.compress.passes.quantization.layered_onnx import LayeredOnnx
from trimtab.compress.passes.quantization.layered_tflite import LayeredTflite
from trimtab.compress.passes.quantization.layers import Fallback, LayeredFile
from trimtab.compress.passes.quantization.mixed_lineage import DataUsed, choices, sentence
from trimtab.compress.passes.quantization.mixed_search import Limit, MixedSearch
from trimtab.compress.passes.quantization.ranges import Method
from trimtab.compress.passes.quantization.sensitivity import Judge
from trimtab.compress.quiet import quiet
from trimtab.task import NamedArrays


class MixedPrecisionConfig(PassConfig):
    max_drop: float = Field(
        default=0.01,
        ge=0,
        lt=1,
        description="the largest share of samples whose answer may be another than the float "
        "file's: accuracy on them cannot fall by more",
    )
    min_sqnr_db: float | None = Field(
        default=None,
        description="the limit instead of max_drop where the outputs are no scores: the lowest "
        "ratio of the float outputs to their error, in dB",
    )
    samples: int = Field(
        default=256, ge=1, description="how many samples the ranges are calibrated on"
    )
    judged: int = Field(
        default=512,
        ge=1,
        description="how many further samples of the same data the layers are judged on",
    )
    method: Method = Field(
        default="minmax", description="how a range is taken from the values that were seen"
    )
    fallback: Fallback = Field(
        default="float",
        description="what a layer gets that cannot bear int8: float, or int16 activations with "
        "int8 weights (costs almost no bytes, runs on fewer kernels)",
    )
    weigh: Literal["bytes", "latency"] = Field(
        default="bytes",
        description="what int8 is to save: bytes, or the time measured in profile (then a layer "
        "that saves none stays out of int8)",
    )
    profile: str | None = Field(
        default=None,
        description="weigh = latency: what `trimtab bench FLOAT INT8 --profile --format json` "
        "wrote, from the folder of the task file",
    )

    @model_validator(mode="after")
    def _check_profile(self) -> MixedPrecisionConfig:
        if (self.weigh == "latency") != (self.profile is not None):
            raise ValueError("weigh = latency and profile = FILE belong together")
        return self


class MixedPrecisionPass(ArtifactPass[MixedPrecisionConfig]):
    name: ClassVar[str] = "mixed_precision"
    config: ClassVar[type[PassConfig]] = MixedPrecisionConfig
    modules: ClassVar[tuple[str, ...]] = ("onnx", "onnxruntime", "ai_edge_quantizer")
    never_after: ClassVar[frozenset[str]] = frozenset({"quantize"})

    def requires(self, config: MixedPrecisionConfig) -> frozenset[Need]:
        return frozenset({"calibration_data"})

    def rejects(self, model_format: str, config: MixedPrecisionConfig) -> str | None:
        if model_format not in ("onnx", "tflite"):
            return f"mixed_precision does not write {model_format}; it writes onnx and tflite"
        return None

    def data_key(self, config: MixedPrecisionConfig, context: PassContext) -> str:
        samples = arrays_digest(context.task.calibration(config.samples + config.judged))
        if config.profile is None:
            return samples
        path = _profile_path(config.profile, context)
        return f"{samples} {digest_file(path).sha256 if path.is_file() else ''}"

    def apply(
        self, source: ModelFile, target: Path, config: MixedPrecisionConfig, context: PassContext
    ) -> str:
        ranges, judged, used = _split(config, context)
        context.progress(f"mixed precision: ranges of {used.range_count} samples")
        with quiet():
            file = _layered(source, config, context.scratch)
            file.calibrate(ranges)
        if not file.layers:
            raise PassRejected("the file has no layer that static quantization knows")
        search = MixedSearch(
            file=file,
            judge=_judge(file, judged, config),
            limit=Limit(config.max_drop, config.min_sqnr_db),
            fallback=config.fallback,
            times=_times(file, source, config, context),
            progress=context.progress,
        )
        outcome = search.run()
        with quiet():
            copy_whole(file.all_but(outcome.kept, config.fallback), target)
        write_layers(target, choices(outcome, config.fallback))
        return sentence(outcome, config.fallback, search.limit, used)


def _judge(file: LayeredFile, inputs: NamedArrays, config: MixedPrecisionConfig) -> Judge:
    judge = Judge(file, inputs)
    if config.min_sqnr_db is None and not judge.gives_answers:
        raise PassRejected(
            "the outputs are no scores to take an answer from: give min_sqnr_db as the limit"
        )
    return judge


def _split(
    config: MixedPrecisionConfig, context: PassContext
) -> tuple[NamedArrays, NamedArrays, DataUsed]:
    """Samples to calibrate on, and others to judge on; a short supply is shared out alike."""
    wanted = config.samples + config.judged
    data = calibration_data(context.task, wanted, "task").samples
    count = min(len(array) for array in data.values())
    first = config.samples if count == wanted else max(1, count * config.samples // wanted)
    ranges = {name: array[:first] for name, array in data.items()}
    judged = {name: array[first:] for name, array in data.items()}
    used = DataUsed(context.task.calibration_origin, first, count - first)
    return ranges, judged, used


def _layered(source: ModelFile, config: MixedPrecisionConfig, scratch: Path) -> LayeredFile:
    if source.format == "onnx":
        return LayeredOnnx(source.path, scratch, config.method)
    return LayeredTflite(source.path, scratch, config.method)


def _times(
    file: LayeredFile, source: ModelFile, config: MixedPrecisionConfig, context: PassContext
) -> Mapping[str, LayerTime] | None:
    if config.profile is None:
        return None
    sha256 = digest_file(source.path).sha256
    path = _profile_path(config.profile, context)
    return layer_times(path, sha256, source.format, file.layers)


def _profile_path(name: str, context: PassContext) -> Path:
    return context.task.path.parent / name
