"""torch -> ExecuTorch's .pte for XNNPACK, checked in ExecuTorch's own runtime."""

from __future__ import annotations

import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from trimtab.export.base import Exporter, ExportRequest, exportable
from trimtab.task import Arrays, NamedArrays, single_samples


class ExecutorchExporter(Exporter):
    format: ClassVar[str] = "pte"
    suffix: ClassVar[str] = ".pte"
    modules: ClassVar[tuple[str, ...]] = ("torch", "executorch")

    def export(self, request: ExportRequest, target: Path) -> str:
        """Always with a batch of 1: a program tells the largest shapes only, not which are open."""
        import torch
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import to_edge_transform_and_lower

        # A program keeps the order of dimensions in memory, and refuses inputs of another.
        arguments = tuple(each.contiguous() for each in request.example_inputs)
        exported = torch.export.export(exportable(request), arguments)
        lowered = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
        program = lowered.to_executorch()
        target.write_bytes(program.buffer)
        left = _left_over(program)
        told = f"; not XNNPACK's: {', '.join(left)}" if left else ""
        return (
            f"exported to .pte with executorch {version('executorch')} for XNNPACK, "
            f"batch of 1{told}"
        )

    def run(self, path: Path, inputs: NamedArrays) -> Arrays:
        import torch

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that its interface is experimental
            from executorch.runtime import Runtime

            method = Runtime.get().load_program(path).load_method("forward")
            runs = [
                method.execute([torch.from_numpy(array.copy()) for array in sample.values()])
                for sample in single_samples(inputs)
            ]
        return tuple(
            np.concatenate([each.numpy() for each in parts]) for parts in zip(*runs, strict=True)
        )


def _left_over(program: Any) -> list[str]:
    """Operators that ExecuTorch's own, slow kernels run."""
    plan = program.executorch_program.execution_plan[0]
    return sorted({operator.name for operator in plan.operators})
