"""Quantization-aware training: the float model trained on with its int8 rounding in place."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, model_validator

from trimtab.compress import held
from trimtab.compress.cache import arrays_digest
from trimtab.compress.passes.base import ModelContext, ModelPass, Need, PassConfig
from trimtab.compress.passes.quantization import pt2e
from trimtab.compress.passes.quantization.training_form import set_form
from trimtab.compress.retraining import RetrainingConfig, cannot_train
from trimtab.compress.training import train

if TYPE_CHECKING:
    import torch
    from torch import nn


class QatConfig(RetrainingConfig):
    epochs: int = Field(
        default=2,
        ge=0,
        description="how often the training data is gone through; 0: calibrated only",
    )
    learning_rate: float = Field(
        default=1e-4, gt=0, description="at the start; it falls to 0 along a cosine"
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

    @model_validator(mode="after")
    def _exact_roundings(self) -> QatConfig:
        if self.precision != "float32":
            raise ValueError(
                "qat trains in float32: bfloat16 has fewer digits than the int8 rounding it learns "
                "from; leave precision out"
            )
        return self


class QatPass(ModelPass[QatConfig]):
    name: ClassVar[str] = "qat"
    config: ClassVar[type[PassConfig]] = QatConfig
    modules: ClassVar[tuple[str, ...]] = pt2e.MODULES

    def requires(self, config: QatConfig) -> frozenset[Need]:
        return frozenset({"train_data"} if config.epochs else {"calibration_data"})

    def rejects(self, model: nn.Module, config: QatConfig) -> str | None:
        if cannot_train(model, config):
            return "qat trains weights, and the model has none that can be trained"
        return None

    def data_key(self, config: QatConfig, context: ModelContext) -> str:
        calibration = arrays_digest(context.task.calibration(config.calibration_samples))
        return f"{config.data_digest(context)} {calibration}" if config.trains else calibration

    def apply(
        self, model: nn.Module, config: QatConfig, context: ModelContext
    ) -> tuple[nn.Module, str]:
        task = context.task
        teacher = copy.deepcopy(model).eval()  # training changes the weights, which are shared
        graph = pt2e.prepared_for_training(pt2e.graph_of(model, task), config.per_channel)
        held.carry_over(model, graph)
        samples = task.calibration(config.calibration_samples)
        _first_ranges(graph, samples)
        done = _trained(graph, teacher, config, context) if config.epochs else ""
        _stop_observing(graph)
        ranges = f"first ranges from {len(samples[0])} samples of {task.calibration_origin}"
        return pt2e.quantized(graph, task), (
            f"{'trained' if config.epochs else 'calibrated, not trained,'} with int8 weights "
            f"{'per channel' if config.per_channel else 'per layer'} and int8 activations "
            f"({pt2e.described()}): {done}{ranges}"
        )


def _trained(
    graph: torch.fx.GraphModule, teacher: nn.Module, config: QatConfig, context: ModelContext
) -> str:
    loss = config.loss(context.task, teacher)
    form = _TrainingForm(graph, config)
    # The graph was traced on the CPU, and creates its constants there.
    settings = replace(config.training(context, after_step=form.after_step), device="cpu")
    with form:
        trained = train(graph, context.task, settings, loss)
    return f"{trained}, {config.teaching}, "


def _first_ranges(graph: torch.fx.GraphModule, samples: Any) -> None:
    """Those of the float model: with fake quantization on, early layers' error would widen them."""
    from torchao.quantization.pt2e import FakeQuantizeBase, disable_fake_quant, enable_fake_quant

    graph.apply(disable_fake_quant)
    pt2e.calibrate(graph, samples)
    for module in graph.modules():
        if isinstance(module, FakeQuantizeBase):
            # Not written while fake quantization is off: they held whatever was in memory.
            scale, zero_point = module.calculate_qparams()
            module.scale.resize_(scale.shape).copy_(scale)
            module.zero_point.resize_(zero_point.shape).copy_(zero_point)
    graph.apply(enable_fake_quant)


def _stop_observing(graph: torch.fx.GraphModule) -> None:
    from torchao.quantization.pt2e import disable_observer

    graph.apply(disable_observer)


class _TrainingForm:
    """Inside ``with``, train() and eval() of the graph do what a model's do.

    Out of training no range and no statistic moves: validation data must leave no trace.
    """

    def __init__(self, graph: torch.fx.GraphModule, config: QatConfig) -> None:
        self._graph = graph
        self._config = config
        self._done = 0.0

    def __enter__(self) -> None:
        # An exported graph has methods of its own there, which refuse.
        vars(self._graph).update(train=self._train, eval=lambda: self._train(False))
        self._train(True)

    def __exit__(self, *failure: object) -> None:
        self._train(False)
        for name in ("train", "eval"):
            vars(self._graph).pop(name)

    def after_step(self, done: float) -> None:
        frozen_before = self._frozen()
        self._done = done
        if self._frozen() != frozen_before:
            self._train(True)

    def _frozen(self) -> tuple[bool, bool]:
        config = self._config
        return (
            self._done >= config.freeze_ranges_after,
            self._done >= config.freeze_batch_norm_after,
        )

    def _train(self, mode: bool = True) -> torch.fx.GraphModule:
        from torchao.quantization.pt2e import disable_observer, enable_observer

        ranges_frozen, statistics_frozen = self._frozen()
        set_form(self._graph, mode, mode and not statistics_frozen)
        self._graph.apply(enable_observer if mode and not ranges_frozen else disable_observer)
        for module in self._graph.modules():
            module.training = mode
        return self._graph
