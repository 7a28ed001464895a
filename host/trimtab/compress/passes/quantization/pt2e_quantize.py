"""Post-training quantization of the model itself, for formats whose files cannot be changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from trimtab.compress.cache import arrays_digest
from trimtab.compress.passes.base import ModelContext, ModelPass, Need, PassConfig
from trimtab.compress.passes.quantization import pt2e
from trimtab.compress.passes.quantization.calibration import CalibrationData, calibration_data
from trimtab.compress.passes.quantization.quantize import QuantizeConfig

if TYPE_CHECKING:
    from torch import nn

_SCHEMES = ("static", "dynamic")


class Pt2eQuantizePass(ModelPass[QuantizeConfig]):
    name: ClassVar[str] = "quantize"
    config: ClassVar[type[PassConfig]] = QuantizeConfig
    modules: ClassVar[tuple[str, ...]] = pt2e.MODULES
    never_after: ClassVar[frozenset[str]] = frozenset({"qat"})

    def requires(self, config: QuantizeConfig) -> frozenset[Need]:
        on_data = config.scheme == "static" and config.calibration != "random"
        return frozenset({"calibration_data"}) if on_data else frozenset()

    def rejects(self, model: nn.Module, config: QuantizeConfig) -> str | None:
        if config.scheme not in _SCHEMES:
            return (
                f"scheme {config.scheme} is not made for pte and pt2, whose model is quantized by "
                f"PT2E; {' and '.join(_SCHEMES)} are"
            )
        if config.method not in (None, "minmax"):
            return f"PT2E is calibrated with method minmax only, not {config.method}"
        if config.activations == "uint8":
            return "PT2E has int8 activations only, not uint8: leave activations out"
        if config.per_channel is False:
            return "PT2E is made per channel only here: leave per_channel out"
        return None

    def data_key(self, config: QuantizeConfig, context: ModelContext) -> str:
        data = _data(config, context)
        return arrays_digest(data.samples.values()) if data else ""

    def apply(
        self, model: nn.Module, config: QuantizeConfig, context: ModelContext
    ) -> tuple[nn.Module, str]:
        task = context.task
        dynamic = config.scheme == "dynamic"
        graph = pt2e.prepared_for_calibration(pt2e.graph_of(model, task), dynamic=dynamic)
        data = _data(config, context)
        if data is None:
            pt2e.calibrate(graph, task.samples(1))  # the weights' ranges alone
            return pt2e.quantized(graph, task), f"quantized dynamically ({pt2e.described()})"
        pt2e.calibrate(graph, tuple(data.samples.values()))
        return pt2e.quantized(graph, task), (
            f"quantized statically: int8 weights per channel, int8 activations "
            f"({pt2e.described()}), calibrated on {data.origin} (minmax)"
        )


def _data(config: QuantizeConfig, context: ModelContext) -> CalibrationData | None:
    """None: the scheme has no ranges to calibrate."""
    if config.samples is None:
        return None
    return calibration_data(context.task, config.samples, config.calibration or "task")
