"""The user's trained model with its data, loss and metric: ``task.py`` behind checked calls."""

from __future__ import annotations

import inspect
import random
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trimtab.records import UserError
from trimtab.task.calling import user_code
from trimtab.task.fitting import misfit
from trimtab.task.tensors import (
    Arrays,
    as_arrays,
    as_tensors,
    batch_length,
    first_samples,
    joined,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

REQUIRED = ("model", "example_inputs")
OPTIONAL = (
    "eval_data",
    "calibration_data",
    "train_data",
    "validation_data",
    "student",
    "loss",
    "metric",
    "input_names",
    "output_names",
    "dynamic_shapes",
    "fit",
    "class_names",
    "corruptions",
)
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Task:
    """The functions of one task file. Each call into them is seeded, and raises UserError.

    ``functions`` has those of :data:`REQUIRED` and any of :data:`OPTIONAL`.
    """

    def __init__(self, path: Path, functions: Mapping[str, Callable[..., Any]], seed: int) -> None:
        self.path = path
        self.seed = seed
        self._functions = functions

    def provides(self, name: str) -> bool:
        return name in self._functions

    def function(self, name: str) -> Callable[..., Any] | None:
        """As the task file has it, unchecked; None: it has none."""
        return self._functions.get(name)

    def lacks(self, name: str) -> str:
        return f"{name}(), which {self.path.name} lacks"

    @cached_property
    def model(self) -> nn.Module:
        """Trained, in eval mode; made once. A pass must work on a copy."""
        import torch

        model = self._call("model")
        if not isinstance(model, torch.nn.Module):
            raise self._wrong("model", f"a torch.nn.Module, not {type(model).__name__}")
        return model.eval()

    @cached_property
    def example_inputs(self) -> tuple[Tensor, ...]:
        """One sample with a batch dimension of 1."""
        return self._tensors("example_inputs", self._call("example_inputs"))

    @cached_property
    def evaluation(self) -> tuple[Arrays, np.ndarray[Any, Any]]:
        """Inputs and targets of the whole evaluation set. Raises UserError where there is none."""
        return self._labelled("eval_data")

    @cached_property
    def validation(self) -> tuple[Arrays, np.ndarray[Any, Any]]:
        """What choices are made on: neither trained on nor reported. Raises UserError without."""
        return self._labelled("validation_data")

    @property
    def student(self) -> nn.Module:
        """A new one each time: untrained, or begun by the user. Only where the task has it."""
        import torch

        model = self._call("student")
        if not isinstance(model, torch.nn.Module):
            raise self._wrong("student", f"a torch.nn.Module, not {type(model).__name__}")
        return model

    def _labelled(self, name: str) -> tuple[Arrays, np.ndarray[Any, Any]]:
        batches: list[Arrays] = []
        targets: list[Arrays] = []
        with user_code(self.path, f"{name}()"):
            for inputs, wanted in self._iterate(name):
                batches.append(as_arrays(inputs))
                targets.append(as_arrays(wanted))
            if batches:
                return joined(batches), joined(targets)[0]
        raise self._wrong(name, "at least one batch")

    def calibration(self, count: int) -> Arrays:
        """The first ``count`` samples of calibration_data, else of train_data, fewer if it ends."""
        source = self.calibration_source
        if source is None:
            raise UserError(
                f"{self.path}: calibration_data() is missing, and train_data() to take it from too",
                "add calibration_data() to the task file: batches of inputs",
            )
        batches: list[Arrays] = []
        with user_code(self.path, f"{source}()"):
            for batch in self._iterate(source):
                inputs = batch if source == "calibration_data" else batch[0]
                batches.append(as_arrays(inputs))
                if sum(map(batch_length, batches)) >= count:
                    break
            if batches:
                return first_samples(joined(batches), count)
        raise self._wrong(source, "at least one batch")

    @cached_property
    def example_arrays(self) -> Arrays:
        return as_arrays(self.example_inputs)

    @property
    def any_size(self) -> bool:
        return self.dynamic_shapes() is not None

    @property
    def calibration_source(self) -> str | None:
        return next((n for n in ("calibration_data", "train_data") if self.provides(n)), None)

    @property
    def calibration_origin(self) -> str:
        return f"{self.calibration_source}()"

    def samples(self, count: int) -> Arrays:
        """Real inputs to compare outputs on, the evaluation set's where there is one."""
        if self.provides("eval_data"):
            return first_samples(self.evaluation[0], count)
        examples = as_arrays(self.example_inputs)
        if self.calibration_source is None:
            return examples
        # Bad calibration data is told by the pass that needs it, and no other variant's matter.
        try:
            found = self.calibration(count)
        except UserError:
            return examples
        any_size = self.dynamic_shapes() is not None
        if misfit(found, examples, self.input_names, any_size):
            return examples
        return tuple(array.astype(each.dtype) for array, each in zip(found, examples, strict=True))

    @cached_property
    def input_names(self) -> tuple[str, ...]:
        """As the task names them, else the parameters of the model's ``forward``."""
        count = len(self.example_inputs)
        if self.provides("input_names"):
            return self._names("input_names", count)
        parameters = list(inspect.signature(self.model.forward).parameters.values())
        names = [each.name for each in islice(parameters, count) if each.kind not in _VARIADIC]
        return tuple(names) if len(names) == count else _numbered("input", count)

    def output_names(self, count: int) -> tuple[str, ...]:
        if self.provides("output_names"):
            return self._names("output_names", count)
        return ("output",) if count == 1 else _numbered("output", count)

    def dynamic_shapes(self) -> Any:
        """As torch.export takes them; None: the task does not say."""
        return self._call("dynamic_shapes") if self.provides("dynamic_shapes") else None

    @property
    def metric(self) -> Callable[[Any, Any], float] | None:
        """The task's own, over arrays or tuples of them; None: top-1 accuracy."""
        return self._metric if self.provides("metric") else None

    def class_names(self, count: int) -> tuple[str, ...]:
        """Of at least ``count`` classes, by their numbers; empty where the task has none."""
        if not self.provides("class_names"):
            return ()
        value = self._call("class_names")
        is_list = isinstance(value, Sequence) and not isinstance(value, str)
        if not is_list or len(set(value)) != len(value) or len(value) < count:
            raise self._wrong("class_names", f"{count} different names, one a class")
        return tuple(str(name) for name in value)

    @cached_property
    def corruptions(self) -> Mapping[str, Callable[[Arrays], Arrays]]:
        """The task's own by name; each gives inputs of the same shapes. Empty: there are none."""
        if not self.provides("corruptions"):
            return {}
        value = self._call("corruptions")
        if not isinstance(value, Mapping) or not all(callable(each) for each in value.values()):
            raise self._wrong("corruptions", "{name: function(inputs) -> inputs}")
        return {str(name): partial(self._corrupted, str(name)) for name in value}

    def _corrupted(self, name: str, inputs: Arrays) -> Arrays:
        given = as_tensors(inputs)
        seed_everything(self.seed)
        with user_code(self.path, f"corruption {name}"):
            function = self._functions["corruptions"]()[name]
            changed = as_arrays(function(given[0] if len(given) == 1 else given))
        if [each.shape for each in changed] != [each.shape for each in inputs]:
            shapes = " and ".join(str(each.shape) for each in inputs)
            raise self._wrong("corruptions", f"inputs of the shape they had, {shapes}, for {name}")
        if not all(np.isfinite(each).all() for each in changed):
            raise self._wrong("corruptions", f"finite inputs, not NaN or infinity, for {name}")
        pairs = zip(changed, inputs, strict=True)
        return tuple(each.astype(was.dtype, copy=False) for each, was in pairs)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The task's own, else cross-entropy."""
        import torch

        if self.provides("loss"):
            loss: Tensor = self._call("loss", outputs, targets)
            return loss
        return torch.nn.functional.cross_entropy(outputs, targets)

    def train_batches(self) -> Iterable[Any]:
        """One epoch of (inputs, targets). Raises UserError where the task has no train_data."""
        if not self.provides("train_data"):
            raise UserError(f"{self.path}: train_data() is missing", "add it: batches to train on")
        return self._iterate("train_data")

    def fit(self, model: nn.Module, loss: Any, epochs: int, learning_rate: float) -> Any:
        """The task's own training of ``model``. Only where the task provides it."""
        return self._call("fit", model, loss, epochs, learning_rate)

    def _metric(self, outputs: Any, targets: Any) -> float:
        tensors = as_tensors(outputs)
        given = tensors[0] if len(tensors) == 1 else tensors
        return float(self._call("metric", given, as_tensors(targets)[0]))

    def _iterate(self, name: str) -> Iterable[Any]:
        batches = self._call(name)
        if not isinstance(batches, Iterable):
            raise self._wrong(name, "something to iterate over: batches")
        return batches

    def _call(self, name: str, *arguments: Any) -> Any:
        seed_everything(self.seed)
        with user_code(self.path, f"{name}()"):
            return self._functions[name](*arguments)

    def _tensors(self, name: str, value: object) -> tuple[Tensor, ...]:
        try:
            return as_tensors(value)
        except TypeError as error:
            raise self._wrong(name, "a tensor or a tuple of tensors") from error

    def _names(self, function: str, count: int) -> tuple[str, ...]:
        value = self._call(function)
        is_list = isinstance(value, Sequence) and not isinstance(value, str)
        if not is_list or len(set(value)) != count or len(value) != count:
            raise self._wrong(function, f"{count} different names")
        return tuple(str(name) for name in value)

    def _wrong(self, name: str, expected: str) -> UserError:
        code = getattr(inspect.unwrap(self._functions[name]), "__code__", None)
        place = f"{self.path}:{code.co_firstlineno}" if code else str(self.path)
        return UserError(f"{place}: {name}() must give {expected}", "correct the task file")


def seed_everything(seed: int) -> None:
    """Torch too, where it is loaded: what is done to a file does without."""
    random.seed(seed)
    np.random.seed(seed)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(seed)


def _numbered(stem: str, count: int) -> tuple[str, ...]:
    return tuple(f"{stem}_{index}" for index in range(count))
