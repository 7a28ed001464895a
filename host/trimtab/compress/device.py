"""The device that compression is for, as passes and pipelines ask it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from trimtab.task import Task

if TYPE_CHECKING:
    from torch import nn


class TargetDevice(Protocol):
    """Measures files on the real device, in the runtime that a run would take for the format.

    All methods raise PassRejected, with the reason, where there is no valid figure.
    """

    @property
    def name(self) -> str: ...

    def figure(self, path: Path, model_format: str, metric: str) -> float:
        """Of a metric in ``trimtab.metrics``, in its unit."""

    def operator_times(self, path: Path, model_format: str) -> Mapping[str, float]:
        """Milliseconds an inference, by the operators' names in the file."""

    def layer_times(self, model: nn.Module, task: Task) -> Mapping[str, float]:
        """Milliseconds an inference of the convolutions and linear layers, by the modules' names.

        Of the model as ONNX there; what is not among them was not seen to run.
        """


# By a selector as a project's [devices] has it, which must name one device; an empty one stands for
# the project's own. Raises PassRejected otherwise.
Devices = Callable[[str], TargetDevice]
