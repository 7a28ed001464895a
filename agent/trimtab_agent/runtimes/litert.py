"""LiteRT (TensorFlow Lite) under whichever package the device has."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab_agent.records import RuntimeInfo, TensorInfo
from trimtab_agent.runtimes.base import (
    ModelRefused,
    Quantization,
    Runtime,
    RuntimeMissing,
    RuntimeOptions,
    Session,
    TensorSpec,
)
from trimtab_agent.runtimes.litert_compiled import TRIED_RELEASES, CompiledModelError
from trimtab_agent.runtimes.litert_delegates import delegates, load, missing
from trimtab_agent.runtimes.litert_operators import DELEGATED, operators
from trimtab_agent.runtimes.litert_profile import profile_compiled
from trimtab_agent.runtimes.operators import (
    OperatorProfile,
    Places,
    fallback_warning,
    left_out,
    places_of,
)
from trimtab_agent.runtimes.options import Values
from trimtab_agent.runtimes.reasons import one_line, refusal
from trimtab_agent.runtimes.tflite_files import check_tflite

if TYPE_CHECKING:
    from trimtab_agent.runtimes.base import Tensor, Tensors

# In order of preference: package, module with the interpreter, distribution.
_PACKAGES = (
    ("ai_edge_litert", "ai_edge_litert.interpreter", "ai-edge-litert"),
    ("tflite_runtime", "tflite_runtime.interpreter", "tflite-runtime"),
    ("tensorflow", "tensorflow.lite.python.interpreter", "tensorflow"),
)
_NUMBERS = "fiub"  # numpy's kinds
_NO_TIMES = "LiteRT's Python interpreter does not tell the times of its operators"


@dataclass(frozen=True)
class _Library:
    package: str
    version: str
    interpreter: Callable[..., Any]
    resolvers: Any
    load_delegate: Callable[..., Any]


class LiteRtSession(Session):
    """``no_times_because``: why its compiled model cannot tell operators' times in its place."""

    def __init__(
        self, interpreter: Any, model: Path, thread_count: int, accelerator: str, tell: bool
    ) -> None:
        self.no_times_because = ""
        self._interpreter = interpreter
        self._model = model
        self._thread_count = thread_count
        self._folder = model.parent
        self._read_details()
        self._ran_on = DELEGATED if accelerator == "cpu" else accelerator
        self._places = self._ask_places() if tell or accelerator != "cpu" else {}
        total, elsewhere, _ = left_out(accelerator, self._places)
        self.accelerator_used = "cpu" if total and elsewhere == total else accelerator
        self.warnings = fallback_warning(accelerator, self._places)

    def bind(self, inputs: Tensors) -> None:
        with_shapes = {name: tuple(array.shape) for name, array in inputs.items()}
        if with_shapes != self._shapes:
            self.resize(with_shapes)
        for name, array in inputs.items():
            self._interpreter.set_tensor(self._input_index[name], array)

    def run(self) -> None:
        try:
            self._interpreter.invoke()
        except (RuntimeError, ValueError, MemoryError) as error:
            raise refusal(error, self._folder) from error

    def timed_call(self) -> Callable[[], object]:
        invoke: Callable[[], object] = self._interpreter.invoke
        return invoke

    def output_values(self) -> dict[str, Tensor]:
        return {
            spec.name: self._interpreter.get_tensor(index)
            for spec, index in zip(self.outputs, self._output_index, strict=True)
        }

    def profile(self, run_count: int, chosen: Collection[int]) -> OperatorProfile:
        """Where there are no times: only which operators the delegate took."""
        try:
            found = operators(self._interpreter, self._ran_on)
        except AttributeError:
            return OperatorProfile((), f"{_NO_TIMES}, this version not even their names")
        if self.no_times_because:
            return OperatorProfile(found, f"{_NO_TIMES}, and {self.no_times_because}")
        names = dict(enumerate(operator.name for operator in found))
        try:
            times = profile_compiled(self._model, self._thread_count, run_count, names)
            return replace(times, measured=found)
        except CompiledModelError as error:
            return OperatorProfile(found, f"{_NO_TIMES}, and its compiled model neither: {error}")

    def placement(self) -> Places:
        return self._places

    def close(self) -> None:
        self._interpreter = None

    def resize(self, shapes: dict[str, tuple[int, ...]]) -> None:
        """Raises ModelRefused where the graph does not take the shapes."""
        try:
            for name, shape in shapes.items():
                self._interpreter.resize_tensor_input(self._input_index[name], shape)
            self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError, MemoryError) as error:
            asked = ", ".join(f"{name} {'x'.join(map(str, shapes[name]))}" for name in shapes)
            raise refusal(error, self._folder, f"it does not take {asked}") from error
        self._shapes.update(shapes)
        self.no_times_because = "its compiled model is profiled in the file's own shapes only"

    def _ask_places(self) -> Places:
        try:
            return places_of(operators(self._interpreter, self._ran_on))
        except AttributeError:  # this version does not tell
            return {}

    def _read_details(self) -> None:
        inputs = self._interpreter.get_input_details()
        outputs = self._interpreter.get_output_details()
        self.inputs = tuple(_spec(detail) for detail in inputs)
        self.outputs = tuple(_spec(detail) for detail in outputs)
        self._input_index = {detail["name"]: detail["index"] for detail in inputs}
        self._output_index = tuple(detail["index"] for detail in outputs)
        self._shapes = {
            detail["name"]: tuple(int(size) for size in detail["shape"]) for detail in inputs
        }


class LiteRt(Runtime):
    name = "litert"
    formats = ("tflite",)
    arena_unavailable = "LiteRT's Python interface does not tell what its arena holds"
    operators_told = "each operator's time by its compiled model, else which ones a delegate took"
    option_values = {"xnnpack": ("on", "off")}  # noqa: RUF012 - the base class says ClassVar

    def availability(self) -> RuntimeInfo:
        try:
            library = _import()
        except RuntimeMissing as error:
            return self._unavailable(str(error))
        absent = {name: missing(each) for name, each in delegates().items()}
        return RuntimeInfo(
            name=self.name,
            version=library.version,
            package=library.package,
            model_formats=self.formats,
            accelerators=("cpu", *(name for name, reason in absent.items() if not reason)),
            absent_accelerators={name: reason for name, reason in absent.items() if reason},
        )

    def options_for(self, accelerator: str) -> Mapping[str, Values]:
        """XNNPACK is a delegate too: beside another one, who took what could not be told."""
        if accelerator == "cpu":
            return self.option_values
        known = delegates().get(accelerator)
        return {} if known is None else known.options

    def check_file(self, path: Path, allow_code: bool) -> None:
        check_tflite(path, whole_tensorflow=_import().package == "tensorflow")

    def load(self, path: Path, options: RuntimeOptions) -> Session:
        library = _import()
        libraries = delegates()
        there = ("cpu", *libraries) if options.accelerator in libraries else ("cpu",)
        self.check(options, there)
        settings: dict[str, Any] = {"num_threads": options.thread_count}
        if options.accelerator != "cpu" or options.options.get("xnnpack") == "off":
            settings["experimental_op_resolver_type"] = (
                library.resolvers.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            )
        if options.accelerator != "cpu":
            name = options.accelerator
            delegate = load(library.load_delegate, name, libraries[name], options.options)
            settings["experimental_delegates"] = [delegate]
        try:
            interpreter = library.interpreter(model_path=str(path), **settings)
            interpreter.allocate_tensors()
        except (RuntimeError, ValueError, MemoryError) as error:
            raise refusal(error, path.parent) from error
        session = LiteRtSession(
            interpreter, path, options.thread_count, options.accelerator, options.tell_placement
        )
        session.no_times_because = _no_times_because(library, options)
        known = {spec.name for spec in session.inputs}
        wanted = {name: shape for name, shape in options.input_shapes.items() if name in known}
        if wanted:
            session.resize(wanted)
        return session


def _no_times_because(library: _Library, options: RuntimeOptions) -> str:
    if library.package != "ai_edge_litert" or not library.version.startswith(TRIED_RELEASES):
        tried = ", ".join(f"{release}x" for release in TRIED_RELEASES)
        return f"the profile of its compiled model is known for ai-edge-litert {tried} only"
    if options.accelerator != "cpu":
        return "its compiled model is not profiled with a delegate from a library"
    if options.options.get("xnnpack") == "off":
        return "its compiled model is profiled with XNNPACK only"
    return ""


def _import() -> _Library:
    reasons = []
    for package, module_name, distribution in _PACKAGES:
        try:
            module = importlib.import_module(module_name)
        except Exception as error:  # a broken wheel raises more than ImportError
            reasons.append(f"{package}: {one_line(str(error))}")
            continue
        version = _version(package, distribution)
        return _Library(
            package, version, module.Interpreter, module.OpResolverType, module.load_delegate
        )
    raise RuntimeMissing(f"no LiteRT package can be imported ({'; '.join(reasons)})")


def _version(package: str, distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:  # a vendor's build under another distribution name
        return str(getattr(importlib.import_module(package), "__version__", "unknown"))


def _spec(detail: dict[str, Any]) -> TensorSpec:
    import numpy as np

    signature = detail.get("shape_signature")
    # A file without a signature has an empty one; its shape is then the only truth.
    dimensions = detail["shape"] if signature is None or len(signature) == 0 else signature
    scale, zero_point = detail["quantization"]
    dtype = np.dtype(detail["dtype"])
    if dtype.kind not in _NUMBERS:
        kind = "string" if dtype.kind in "SUO" else dtype.name
        raise ModelRefused(
            f"{detail['name']!r} is of type {kind}; served are tensors of real numbers, integers "
            "and booleans"
        )
    quantized = scale != 0 and dtype.kind in "iu"
    return TensorSpec(
        TensorInfo(detail["name"], dtype.name, tuple(int(size) for size in dimensions)),
        Quantization(float(scale), int(zero_point)) if quantized else None,
    )
