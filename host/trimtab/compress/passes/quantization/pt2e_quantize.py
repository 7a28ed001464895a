"""Post-training quantization of the model itself, for formats whose files cannot be changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from trimtab.compress.cache import arrays_digest
from trimtab.compress.passes.base import ModelContext, ModelPass, Need, PassConfig
from trimtab.compress.passes.quantization import pt2e
from trimtab.compress.passes.quantization.quantize import QuantizeConfig

if TYPE_CHECKING:
    from torch import nn

FORMATS = ("pte", "pt2")
_SCHEMES = ("static", "dynamic")


class Pt2eQuantizePass(ModelPass[QuantizeConfig]):
    name: ClassVar[str] = "quantize"
    config: ClassVar[type[PassConfig]] = QuantizeConfig
    modules: ClassVar[tuple[str, ...]] = pt2e.MODULES
    never_after: ClassVar[frozenset[str]] = frozenset({"qat"})

    def requires(self, config: QuantizeConfig) -> frozenset[Need]:
        return frozenset({"calibration_data"}) if config.scheme == "static" else frozenset()

    def rejects(self, model: nn.Module, config: QuantizeConfig) -> str | None:
        if config.scheme not in _SCHEMES:
            return (
                f"scheme {config.scheme} is not made for {' and '.join(FORMATS)}, whose model is "
                f"quantized by PT2E; {' and '.join(_SCHEMES)} are"
            )
        if config.method not in (None, "minmax"):
            return f"PT2E is calibrated with method minmax only, not {config.method}"
        return None

    def data_key(self, config: QuantizeConfig, context: ModelContext) -> str:
        samples = config.samples
        return arrays_digest(context.task.calibration(samples)) if samples else ""

    def apply(
        self, model: nn.Module, config: QuantizeConfig, context: ModelContext
    ) -> tuple[nn.Module, str]:
        task = context.task
        dynamic = config.scheme == "dynamic"
        graph = pt2e.prepared_for_calibration(pt2e.graph_of(model, task), dynamic=dynamic)
        if config.samples is None:
            pt2e.calibrate(graph, task.samples(1))  # the weights' ranges alone
            return pt2e.quantized(graph, task), f"quantized dynamically ({pt2e.described()})"
        samples = task.calibration(config.samples)
        pt2e.calibrate(graph, samples)
        return pt2e.quantized(graph, task), (
            f"quantized statically: int8 weights per channel, int8 activations "
            f"({pt2e.described()}), calibrated on {len(samples[0])} samples of "
            f"{task.calibration_origin} (minmax)"
        )
