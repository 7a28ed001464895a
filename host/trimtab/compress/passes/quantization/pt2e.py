"""PT2E: int8 in a model's own graph, by the quantizer that suits XNNPACK's kernels.

Its graph reaches ONNX, TFLite and ExecuTorch alike. Biases and what follows no quantized operator
stay float.
"""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from trimtab.compress.passes.base import PassRejected
from trimtab.compress.passes.quantization.pt2e_patterns import patterns_traced_once
from trimtab.compress.passes.quantization.training_form import (
    batch_norm_constants,
    move_eps_into_variances,
    put_back,
    set_form,
)
from trimtab.compress.quantized_model import QuantizedModel
from trimtab.compress.quiet import quiet
from trimtab.task import Arrays, Task

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn
    from torch.export import ExportedProgram

MODULES = ("torch", "torchao", "executorch")
CALIBRATION_BATCH = 32
_REASON_LENGTH = 200
_SMALLEST_SCALE = 2**-12  # as the quantizer's own observers have it


def graph_of(model: nn.Module, task: Task) -> torch.fx.GraphModule:
    """The model's graph in eval form, its batch dimension open. Raises PassRejected."""
    try:
        with quiet():
            return _exported(model.eval(), task).module()
    except Exception as error:  # torch.export refuses for reasons of many kinds
        raise PassRejected(
            "torch.export does not take the model with an open batch dimension, which PT2E needs: "
            f"{_first_line(error)}"
        ) from error


def prepared_for_calibration(graph: torch.fx.GraphModule, dynamic: bool) -> torch.fx.GraphModule:
    from torchao.quantization.pt2e.quantize_pt2e import prepare_pt2e

    return _prepared(prepare_pt2e, graph, _quantizer(True, dynamic=dynamic))


def prepared_for_training(graph: torch.fx.GraphModule, per_channel: bool) -> torch.fx.GraphModule:
    """In eval form, with fake quantization; a batch norm behind a convolution is folded into it."""
    from torchao.quantization.pt2e.quantize_pt2e import prepare_qat_pt2e

    constants = batch_norm_constants(graph)
    # The patterns of convolution and batch norm are known in their training form alone.
    set_form(graph, training=True)
    with quiet():
        prepared = _prepared(prepare_qat_pt2e, graph, _quantizer(per_channel, qat=True))
    put_back(prepared, constants)
    set_form(prepared, training=False)
    return prepared


def calibrate(graph: torch.fx.GraphModule, samples: Arrays) -> None:
    import torch

    tensors = [torch.from_numpy(array) for array in samples]
    with torch.no_grad():
        for start in range(0, len(tensors[0]), CALIBRATION_BATCH):
            graph(*(each[start : start + CALIBRATION_BATCH] for each in tensors))


def quantized(prepared: torch.fx.GraphModule, task: Task) -> QuantizedModel:
    """Uses ``prepared`` up. Raises PassRejected where nothing of it was quantized."""
    from torchao.quantization.pt2e.constant_fold import constant_fold
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e

    move_eps_into_variances(prepared)
    try:
        with quiet():
            # Not of a copy: the annotations in it would speak of the nodes of the original.
            with patterns_traced_once():
                graph = convert_pt2e(prepared, fold_quantize=False)
            unfolded = _exported(graph, task)
            constant_fold(graph, _quantizes)
            _forget_unused(graph)
            folded = _exported(graph, task)
    except Exception as error:  # as above: torchao's passes, and torch.export's
        raise PassRejected(f"PT2E cannot convert the model: {_first_line(error)}") from error
    if not _has_int8_weights(folded):
        raise PassRejected(
            "nothing was quantized: the model has no convolution and no linear layer that PT2E's "
            "XNNPACK quantizer knows"
        )
    return QuantizedModel(folded, unfolded)


def described() -> str:
    return f"PT2E with torchao {version('torchao')}, XNNPACK's quantizer"


def _quantizer(per_channel: bool, qat: bool = False, dynamic: bool = False) -> Any:
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantizer.quantizer import Q_ANNOTATION_KEY

    config = get_symmetric_quantization_config(
        is_per_channel=per_channel, is_qat=qat, is_dynamic=dynamic
    )
    if not qat and not dynamic:
        config = replace(
            config,
            input_activation=_of_extremes(config.input_activation),
            output_activation=_of_extremes(config.output_activation),
        )

    class FloatTensorsOnly(XNNPACKQuantizer):  # type: ignore[misc]  # the base class has no types
        """The base class makes floats of whole numbers too, such as a transformer's indices."""

        def transform_for_annotation(self, model: torch.fx.GraphModule) -> torch.fx.GraphModule:
            untouched = {node: node.args for node in model.graph.nodes if _is_whole(node)}
            transformed: torch.fx.GraphModule = super().transform_for_annotation(model)
            for node, arguments in untouched.items():
                node.args = arguments
            transformed.graph.eliminate_dead_code()
            transformed.recompile()
            return transformed

        def annotate(self, model: torch.fx.GraphModule) -> torch.fx.GraphModule:
            annotated: torch.fx.GraphModule = super().annotate(model)
            for node in annotated.graph.nodes:
                if any(_is_whole(each) for each in (node, *node.all_input_nodes)):
                    node.meta.pop(Q_ANNOTATION_KEY, None)
            return annotated

    return FloatTensorsOnly().set_global(config)


def _is_whole(node: torch.fx.Node) -> bool:
    dtype = getattr(node.meta.get("val"), "dtype", None)
    return dtype is not None and not dtype.is_floating_point


def _of_extremes(spec: Any) -> Any:
    """Ranges from the smallest to the largest value; the default's search for others instead."""
    from torchao.quantization.pt2e import MinMaxObserver

    return replace(spec, observer_or_fake_quant_ctr=MinMaxObserver.with_args(eps=_SMALLEST_SCALE))


def _prepared(prepare: Any, graph: torch.fx.GraphModule, quantizer: Any) -> torch.fx.GraphModule:
    try:
        with quiet(), patterns_traced_once():
            prepared: torch.fx.GraphModule = prepare(graph, quantizer)
    except Exception as error:  # patterns that torchao meets and does not know
        raise PassRejected(
            f"PT2E cannot put quantization into the model's graph: {_first_line(error)}"
        ) from error
    return prepared


def _forget_unused(graph: torch.fx.GraphModule) -> None:
    """Float weights that int8 ones replaced: torch.export would write them to a file too."""
    used = {node.target for node in graph.graph.nodes if node.op == "get_attr"}
    for holder_name, holder in list(graph.named_modules()):
        for values in (holder._parameters, holder._buffers):
            for name in list(values):
                if f"{holder_name}.{name}".lstrip(".") not in used:
                    del values[name]


def _quantizes(node: torch.fx.Node) -> bool:
    import torch

    operators = torch.ops.quantized_decomposed
    return node.target in (
        operators.quantize_per_tensor.default,
        operators.quantize_per_channel.default,
    )


def _exported(model: nn.Module, task: Task) -> ExportedProgram:
    import torch

    inputs = tuple(_two(each) for each in task.example_inputs)
    shapes = task.dynamic_shapes()
    if shapes is None:
        batch = torch.export.Dim("batch")
        shapes = tuple({0: batch} if each.ndim else None for each in inputs)
    return torch.export.export(model, inputs, dynamic_shapes=shapes)


def _two(sample: Tensor) -> Tensor:
    """A batch of 2: torch.export takes a dimension of 1 for a constant."""
    import torch

    return torch.cat([sample, sample]) if sample.ndim else sample.clone()


def _has_int8_weights(program: ExportedProgram) -> bool:
    import torch

    values = (*program.state_dict.values(), *program.constants.values())
    tensors = (each for each in values if isinstance(each, torch.Tensor))
    return any(each.dtype == torch.int8 and each.ndim >= 2 for each in tensors)


def _first_line(error: Exception) -> str:
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {line[:_REASON_LENGTH]}"
