"""The seam every runtime stands behind.

Modules of runtimes import their library (and numpy) only inside functions: the agent's own process
reads names and formats from here and must stay small.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from trimtab_protos.failure import FailureClass

from trimtab_agent.records import RuntimeInfo, TensorInfo
from trimtab_agent.runtimes.operators import OperatorProfile, Places
from trimtab_agent.runtimes.options import Values, listed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Tensor = NDArray[Any]
    Tensors = Mapping[str, Tensor]


class WorkerError(Exception):
    """What a worker reports as ``failed``; the message is one line for people."""

    failure_class: ClassVar[FailureClass] = "harness"


class ModelRefused(WorkerError):
    """The model, its inputs or its settings cannot be run: bad file, operator, shape, option."""

    failure_class = "model"


class OutOfMemory(WorkerError):
    failure_class = "resources"


class RuntimeMissing(WorkerError):
    """The runtime is not on this device, or cannot be imported."""

    failure_class = "device"


class AcceleratorMissing(WorkerError):
    """An accelerator that the runtime knows cannot be used on this device."""

    failure_class = "device"


@dataclass(frozen=True)
class Quantization:
    """real = (stored - zero_point) * scale, per tensor."""

    scale: float
    zero_point: int


@dataclass(frozen=True)
class TensorSpec:
    """``quantization`` is None for tensors that hold real values (or are scaled per axis)."""

    info: TensorInfo
    quantization: Quantization | None = None

    @property
    def name(self) -> str:
        return self.info.name


@dataclass(frozen=True)
class RuntimeOptions:
    """``options`` are names of the runtime's own allow-list; any other is refused.

    ``profile_folder`` set: load so that ``Session.profile`` can tell operators' times, at whatever
    that costs the latency; what the runtime writes meanwhile goes there. ``cache_folder``: where
    what it compiled may be kept for the next process; None: nowhere. ``tell_placement``: load so
    that ``Session.placement`` can answer on the cpu too. ``allow_code``: the device's owner lets
    model files run code.
    """

    accelerator: str = "cpu"
    thread_count: int = 1
    options: Mapping[str, str] = field(default_factory=dict)
    input_shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    profile_folder: Path | None = None
    allow_code: bool = False
    cache_folder: Path | None = None
    tell_placement: bool = False


class Session(ABC):
    """One loaded model. ``run`` is the timed region and does nothing but run."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    accelerator_used: str
    warnings: tuple[str, ...] = ()

    @abstractmethod
    def bind(self, inputs: Tensors) -> None:
        """Copy the inputs into the runtime's own buffers; shapes and dtypes must be the model's."""

    @abstractmethod
    def run(self) -> None:
        """Run once, from bound inputs to outputs available in the runtime's buffers."""

    def timed_call(self) -> Callable[[], object]:
        """What the timed loop calls in place of ``run``; asked for after ``bind`` and a first run.

        The same work without a Python function of ours around it, which costs some 50 ns: over 1 %
        of a model of 4 µs. What the runtime raises comes out of it as it is.
        """
        return self.run

    @abstractmethod
    def output_values(self) -> dict[str, Tensor]:
        """Copy the outputs of the last run out, by name, as the runtime stores them.

        Between ``bind`` and ``run`` there are none.
        """

    def profile(self, run_count: int, chosen: Collection[int]) -> OperatorProfile:
        """Operators as they ran, a mean over the chosen ones of the last ``run_count`` runs.

        Ends the profiling; call it once, in a session loaded with ``profile_folder``.
        """
        return OperatorProfile((), "this runtime tells nothing of its operators")

    def placement(self) -> Places:
        """Where the runtime says that the graph's operators run; empty: it does not tell."""
        return {}

    @abstractmethod
    def close(self) -> None:
        """Give the model's memory back as far as the runtime can; idempotent."""


class Runtime(ABC):
    """``formats`` empty: any file. ``option_values`` is the allow-list: option -> its values.

    ``accelerator_options``: accelerator -> the options that it takes beside those.
    ``arena_unavailable``: why its arena's size is not known where no profile tells it.
    ``operators_told``: what a profile tells of operators; empty: nothing.
    """

    name: ClassVar[str]
    formats: ClassVar[tuple[str, ...]]
    option_values: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    accelerator_options: ClassVar[Mapping[str, Mapping[str, Values]]] = {}
    arena_unavailable: ClassVar[str] = "this runtime does not tell what its arena holds"
    operators_told: ClassVar[str] = ""

    @abstractmethod
    def availability(self) -> RuntimeInfo:
        """What the library is, or why it cannot be used; never raises.

        Every registered runtime is asked when an agent starts: one whose library takes long to
        import says it without, and then imports it in :meth:`import_library`.
        """

    def import_library(self) -> None:  # noqa: B027 - most do it in availability()
        """Import what ``load`` would, so that loading is timed without. Raises RuntimeMissing."""

    def check_file(self, path: Path, allow_code: bool) -> None:  # noqa: B027 - nothing to refuse
        """Refuse a file that is more than data, or reads others than those beside it.

        Called before ``load``, after :meth:`import_library`: what it takes is no part of loading.
        ``allow_code``: the device's owner lets model files run code. Raises ModelRefused.
        """

    @abstractmethod
    def load(self, path: Path, options: RuntimeOptions) -> Session:
        """Load the model file.

        Raises:
            ModelRefused: the runtime refuses the file, or an option is not allowed.
            RuntimeMissing: the library cannot be imported.
        """

    def options_for(self, accelerator: str) -> Mapping[str, Values]:
        """The allow-list for a run on ``accelerator``."""
        return {**self.option_values, **self.accelerator_options.get(accelerator, {})}

    def check(self, options: RuntimeOptions, accelerators: tuple[str, ...]) -> None:
        """Raise ModelRefused for an accelerator that is not there or an option not allowed."""
        if options.accelerator not in accelerators:
            raise ModelRefused(
                f"{self.name} has no accelerator {options.accelerator!r} on this device; "
                f"it has: {', '.join(accelerators)}"
            )
        known = self.options_for(options.accelerator)
        for name, value in options.options.items():
            allowed = known.get(name)
            if allowed is None:
                where = "" if options.accelerator == "cpu" else f" on {options.accelerator}"
                raise ModelRefused(
                    f"{self.name} has no option {name!r}{where}; "
                    f"allowed: {', '.join(known) or 'none'}"
                )
            if value not in allowed:
                raise ModelRefused(
                    f"{self.name} option {name}={value!r}: allowed are {listed(allowed)}"
                )

    def _unavailable(self, reason: str) -> RuntimeInfo:
        return RuntimeInfo(self.name, "", "", self.formats, (), reason)
