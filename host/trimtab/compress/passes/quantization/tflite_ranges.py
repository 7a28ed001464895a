"""What the tensors of a .tflite file hold on real samples, in the form ai-edge-quantizer takes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trimtab.compress.passes.base import PassRejected
from trimtab.compress.passes.quantization.ranges import RangeRule, Ranges, observed_ranges
from trimtab.task import NamedArrays, rows_of_file, single_samples

_SIGNATURE_PREFIX = re.compile(r"^serving_default_")


@dataclass(frozen=True)
class TfliteGraph:
    """``activations``: tensor names by index, none of constants. ``operators``: read, written."""

    activations: Mapping[int, str]
    operators: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]

    def scopes_at(self, tensors: frozenset[str]) -> list[str]:
        """Of all operators that read or write one of these."""
        return [
            self._scope(written)
            for read, written in self.operators
            if tensors & {self.activations.get(index, "") for index in (*read, *written)}
        ]

    def scopes_of(self, outputs: Sequence[str]) -> list[str]:
        """Of the operators that write these. Raises PassRejected for one that none writes."""
        found = {
            self.activations[index]: self._scope(written)
            for _, written in self.operators
            for index in written
        }
        missing = [name for name in outputs if name not in found]
        if missing:
            raise PassRejected(
                f"no operator of the file writes {missing[0]}, which was to stay float"
            )
        return [found[name] for name in outputs]

    def _scope(self, written: tuple[int, ...]) -> str:
        """As ai-edge-quantizer joins the names."""
        return "".join(f"{self.activations[index]};" for index in written)


def read_graph(source: Path) -> TfliteGraph:
    """Raises PassRejected for a model with more graphs than one: branches, loops."""
    from ai_edge_quantizer.utils import tfl_flatbuffer_utils

    model = tfl_flatbuffer_utils.read_model(str(source))
    if len(model.subgraphs) != 1:
        raise PassRejected(
            "static quantization of .tflite files does not see into control flow, and this one has "
            f"{len(model.subgraphs)} graphs: use scheme dynamic, weight-int8 or fp16"
        )
    graph = model.subgraphs[0]
    return TfliteGraph(
        {
            index: tensor.name.decode()
            for index, tensor in enumerate(graph.tensors)
            if model.buffers[tensor.buffer].data is None
        },
        tuple((_indices(each.inputs), _indices(each.outputs)) for each in graph.operators),
    )


def tensor_ranges(source: Path, graph: TfliteGraph, data: NamedArrays, rule: RangeRule) -> Ranges:
    """By tensor name.

    ``Quantizer.calibrate`` would take a moving average of the extremes instead, which cut the
    digits' outputs off at 60 % of their range.
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(source), num_threads=1, experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    inputs = interpreter.get_input_details()

    def run(sample: NamedArrays) -> dict[str, npt.NDArray[Any]]:
        for detail, array in zip(inputs, _ordered(inputs, sample), strict=True):
            interpreter.set_tensor(detail["index"], array.astype(detail["dtype"]))
        interpreter.invoke()
        return {name: interpreter.get_tensor(index) for index, name in graph.activations.items()}

    return observed_ranges(run, single_samples(data, rows_of_file(source, "tflite")), rule)


def as_statistics(graph: TfliteGraph, ranges: Ranges) -> dict[str, dict[str, Any]]:
    """Of whole-number tensors too: the quantizer asks for them, and uses none."""
    whole = (0.0, 0.0)
    return {
        name: {
            bound: np.array([[value]], np.float32)
            for bound, value in zip(("min", "max"), ranges.get(name, whole), strict=True)
        }
        for name in graph.activations.values()
    }


def _ordered(inputs: list[dict[str, Any]], sample: NamedArrays) -> list[npt.NDArray[Any]]:
    """By name where the file tells names, else as they come."""
    names = [_SIGNATURE_PREFIX.sub("", each["name"]).split(":")[0] for each in inputs]
    if set(names) == set(sample):
        return [sample[name] for name in names]
    return list(sample.values())


def _indices(found: Any) -> tuple[int, ...]:
    return tuple(int(index) for index in found) if found is not None else ()
