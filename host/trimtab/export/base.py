"""What an exporter is: it writes a model in one format, and runs the file to check it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from trimtab.export.verify import Comparison, Reference, compare
from trimtab.task import Arrays, NamedArrays

if TYPE_CHECKING:
    from torch import Tensor, nn


class ExportFailed(Exception):
    """The text is the reason that is shown."""


@dataclass(frozen=True)
class ExportRequest:
    """``example_inputs`` have a batch dimension of 1; ``dynamic_shapes`` None: to be chosen."""

    model: nn.Module
    example_inputs: tuple[Tensor, ...]
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    dynamic_shapes: Any = None


class Exporter(ABC):
    format: ClassVar[str]
    suffix: ClassVar[str]
    modules: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def export(self, request: ExportRequest, target: Path) -> str:
        """Writes ``target``, one file; a sentence on how. Raises whatever the converter raises."""

    @abstractmethod
    def run(self, path: Path, inputs: NamedArrays) -> Arrays:
        """The file's outputs in its real runtime, as real numbers, sample by sample."""

    def check(self, path: Path, reference: Reference) -> Comparison:
        """For any artifact. Raises ExportFailed where it does not run, or not to finite numbers."""
        try:
            return compare(self.run(path, reference.inputs), reference)
        except Exception as error:  # runtimes raise their own kinds
            raise ExportFailed(f"the file does not run: {one_line(error)}") from error

    def verify(self, path: Path, reference: Reference) -> Comparison:
        """For a float artifact. Raises ExportFailed where its numbers are not the model's."""
        comparison = self.check(path, reference)
        if not comparison.within_float_tolerance:
            raise ExportFailed(f"the file is not the model: {comparison}")
        return comparison


def one_line(error: BaseException, limit: int = 300) -> str:
    # What torch adds of its own inside names no line of the user's.
    text = " ".join(str(error).split()).partition(" While executing ")[0]
    shortened = text if len(text) <= limit else f"{text[:limit]}..."
    return f"{type(error).__name__}: {shortened}" if shortened else type(error).__name__
