"""Quantization-aware training: the float model trained on with its int8 rounding in place."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, model_validator

from trimtab.compress.cache import arrays_digest
from trimtab.compress.distillation import distilled
from trimtab.compress.passes.base import ModelContext, ModelPass, Need, PassConfig
from trimtab.compress.passes.quantization import pt2e
from trimtab.compress.training import TrainingSettings, task_loss, train, training_data

if TYPE_CHECKING:
    import torch
    from torch import nn

DEFAULT_DISTILLATION = 0.5
DEFAULT_TEMPERATURE = 4.0


class QatConfig(PassConfig):
    epochs: int = Field(default=2, ge=1, description="how often the training data is gone through")
    learning_rate: float = Field(
        default=1e-4, gt=0, description="Adam's at the start; it falls to 0 along a cosine"
    )
    per_channel: bool = Field(
        default=True, description="weights have a range for each output channel, else one a layer"
    )
    calibration_samples: int = Field(
        default=256, ge=1, description="how many samples the first ranges are taken from"
    )
    freeze_ranges_after: float = Field(
        default=0.75, ge=0, le=1, description="share of the steps after which ranges stay fixed"
    )
    freeze_batch_norm_after: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="share of the steps after which batch norm's statistics stay fixed",
    )
    distill: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="share of the loss that is the distance to the float model's outputs; "
        f"true: {DEFAULT_DISTILLATION}",
    )
    temperature: float | None = Field(
        default=None,
        gt=0,
        description=f"distill: by how much scores are softened, {DEFAULT_TEMPERATURE:g} unless set",
    )

    @model_validator(mode="before")
    @classmethod
    def _distillation(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        wanted = values.get("distill", 0.0)
        if isinstance(wanted, bool):
            values = {**values, "distill": DEFAULT_DISTILLATION if wanted else 0.0}
        if wanted:
            return {"temperature": DEFAULT_TEMPERATURE, **values}
        if values.get("temperature") is not None:
            raise ValueError("temperature is a setting of distill; set distill too")
        return values


class QatPass(ModelPass[QatConfig]):
    name: ClassVar[str] = "qat"
    config: ClassVar[type[PassConfig]] = QatConfig
    modules: ClassVar[tuple[str, ...]] = pt2e.MODULES

    def requires(self, config: QatConfig) -> frozenset[Need]:
        return frozenset({"train_data"})

    def rejects(self, model: nn.Module, config: QatConfig) -> str | None:
        if any(each.requires_grad for each in model.parameters()):
            return None
        return "qat trains weights, and the model has none that can be trained"

    def data_key(self, config: QatConfig, context: ModelContext) -> str:
        calibration = arrays_digest(context.task.calibration(config.calibration_samples))
        return f"{training_data(context.task).digest} {calibration}"

    def apply(
        self, model: nn.Module, config: QatConfig, context: ModelContext
    ) -> tuple[nn.Module, str]:
        task = context.task
        teacher = copy.deepcopy(model).eval()  # training changes the weights, which are shared
        graph = pt2e.prepared_for_training(pt2e.graph_of(model, task), config.per_channel)
        samples = task.calibration(config.calibration_samples)
        _first_ranges(graph, samples)
        loss = task_loss(task)
        if config.distill:
            temperature = config.temperature or DEFAULT_TEMPERATURE
            loss = distilled(loss, teacher, config.distill, temperature)
        settings = TrainingSettings(
            config.epochs, config.learning_rate, _freezing(graph, config), context.progress
        )
        _into_training(graph)
        trained = train(graph, task, settings, loss)
        _out_of_training(graph)
        ranges = f"first ranges from {len(samples[0])} samples of {task.calibration_origin}"
        return pt2e.quantized(graph, task), (
            f"trained with int8 weights {'per channel' if config.per_channel else 'per layer'} "
            f"and int8 activations ({pt2e.described()}): {trained}, "
            f"{_distillation(config)}, {ranges}"
        )


def _distillation(config: QatConfig) -> str:
    if not config.distill:
        return "without distillation"
    return (
        f"distilled from the float model (share {config.distill:g} of the loss, "
        f"temperature {config.temperature:g})"
    )


def _first_ranges(graph: torch.fx.GraphModule, samples: Any) -> None:
    """Those of the float model: with fake quantization on, early layers' error would widen them."""
    from torchao.quantization.pt2e import disable_fake_quant, enable_fake_quant

    graph.apply(disable_fake_quant)
    pt2e.calibrate(graph, samples)
    graph.apply(enable_fake_quant)


def _into_training(graph: torch.fx.GraphModule) -> None:
    from torchao.quantization.pt2e import allow_exported_model_train_eval

    allow_exported_model_train_eval(graph)
    graph.train()


def _out_of_training(graph: torch.fx.GraphModule) -> None:
    from torchao.quantization.pt2e import disable_observer

    graph.eval()
    graph.apply(disable_observer)


def _freezing(graph: torch.fx.GraphModule, config: QatConfig) -> Any:
    from torchao.quantization.pt2e import disable_observer

    frozen: set[str] = set()

    def after_step(done: float) -> None:
        if done >= config.freeze_ranges_after and "ranges" not in frozen:
            frozen.add("ranges")
            graph.apply(disable_observer)
        if done >= config.freeze_batch_norm_after and "batch norm" not in frozen:
            frozen.add("batch norm")
            _freeze_batch_norm(graph)

    return after_step


def _freeze_batch_norm(graph: torch.fx.GraphModule) -> None:
    import torch

    position = [each.name for each in torch.ops.aten.batch_norm.default._schema.arguments].index(
        "training"
    )
    for node in graph.graph.nodes:
        if node.target is torch.ops.aten.batch_norm.default:
            arguments = list(node.args)
            arguments[position] = False
            node.args = tuple(arguments)
    graph.recompile()
